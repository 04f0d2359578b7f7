package md

import "fmt"

// UUID is that of an array or of a member, in the order of the bytes of the superblock.
type UUID [16]byte

// String returns the UUID as mdadm prints it: "3aaa0122:29827cfa:5331ad66:ca767371".
func (u UUID) String() string {
	return fmt.Sprintf("%x:%x:%x:%x", u[0:4], u[4:8], u[8:12], u[12:16])
}
