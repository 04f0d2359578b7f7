package md

// Superblock is what a member has of its array and of itself.
type Superblock struct {
	Minor int // of the version 1: the place, see places

	// Of the array.
	Set          UUID
	Name         string // "host:name", or without a host
	Created      uint64 // seconds since 1970
	Level        Level
	Layout       uint32 // of the levels 4, 5, 6 and 10, and of 0 since Linux 5.4
	Sectors      uint64 // of each member that the array uses; 0 where it uses all (linear, raid0)
	ChunkSectors uint32
	Disks        int    // slots
	Delta        int    // while it is reshaped: how many slots are added, or removed if negative
	Events       uint64 // grows with each change of the superblock
	Clean        bool   // no write was under way, no resync is necessary
	Features     Feature

	// Roles are by number: a slot, or a Role.
	Roles []uint16

	// Of this member.
	Device      UUID
	Number      uint32 // its index in Roles
	DataOffset  uint64 // where the array's data begin, in sectors
	DataSectors uint64 // what there is for the array
}

// Feature are the bits of feature_map (md_p.h: MD_FEATURE_).
type Feature uint32

// The bits that this package has to know by their names.
const (
	FeatureBitmap      Feature = 1 << 0  // a write-intent bitmap beside the superblock
	FeatureRecovery    Feature = 1 << 1  // this member is rebuilt only up to an offset
	FeatureReshape     Feature = 1 << 2  // the array is being reshaped
	FeatureReplacement Feature = 1 << 4  // this member is to replace the one in its slot
	FeatureNewOffset   Feature = 1 << 6  // a reshape moves the data, and needs no backup
	FeatureClustered   Feature = 1 << 8  // other hosts use the array at the same time
	FeatureJournal     Feature = 1 << 9  // writes go to a journal on a device of its own first
	FeaturePPL         Feature = 1 << 10 // partial parity log: a crash leaves no wrong parity
	featureAll         Feature = 1<<13 - 1
)

// Roles that are no slot.
const (
	RoleSpare   = 0xffff
	RoleFaulty  = 0xfffe
	RoleJournal = 0xfffd
	roleMax     = 0xff00 // MD_DISK_ROLE_MAX: slots are below it
)

// Role returns the role of a device by its number. What is not in the table is a spare, as for the
// kernel.
func (s *Superblock) Role(number uint32) uint16 {
	if uint64(number) < uint64(len(s.Roles)) {
		return s.Roles[number]
	}
	return RoleSpare
}

// slots is how many slots the array has, those which a reshape is emptying included.
func (s *Superblock) slots() int { return s.Disks + max(0, -s.Delta) }

// slot returns the slot of a device by its number, -1 for a spare and for what is no member. A slot
// that the array does not have is a spare's (analyze_sbs).
func (s *Superblock) slot(number uint32) int {
	if r := int(s.Role(number)); r < s.slots() {
		return r
	}
	return -1
}

func (s *Superblock) has(f Feature) bool { return s.Features&f != 0 }
