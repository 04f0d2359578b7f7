package blockdev

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// comparedSize is how much is compared at each end of a disk, in bytes: tables of partitions and
// the superblocks of file systems, arrays and volume groups are there.
const comparedSize = 64 << 10

// DigestOfEnds returns a digest of the first and the last 64 KiB of a disk, by its path, read past
// the page cache. It waits for the disk.
func DigestOfEnds(path string) (_ string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	n := min(size, comparedSize)
	b := make([]byte, 2*n)
	for at, from := range []int64{0, size - n} {
		if _, err := (Direct{File: f}).ReadAt(b[int64(at)*n:][:n], from); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256(b)), nil
}
