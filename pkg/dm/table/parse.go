package table

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a target as the kernel prints it with DM_STATUS_TABLE_FLAG (dmsetup table), which has
// devices as numbers. A type that this package does not have is an error.
func Parse(kind, params string) (Target, error) {
	r := &reader{rest: strings.Fields(params)}
	var t Target
	switch kind {
	case "linear":
		t = Linear(r.area())
	case "striped":
		t = r.striped()
	case "raid":
		t = r.raid()
	case "thin-pool":
		t = r.thinPool()
	case "thin":
		t = r.thin()
	case "multipath":
		t = r.multipath()
	case "zero":
		t = Zero{}
	case "error":
		t = Error{}
	default:
		return nil, fmt.Errorf("parse target %q: unknown type", kind)
	}
	if len(r.rest) > 0 {
		r.fail(fmt.Errorf("%q behind the end: %w", r.rest[0], errForm))
	}
	if v, ok := t.(interface{ validate() error }); ok && r.err == nil {
		r.err = v.validate()
	}
	if r.err != nil {
		return nil, fmt.Errorf("parse %s %q: %w", kind, params, r.err)
	}
	return t, nil
}

// reader takes words; after the first error all are empty or zero.
type reader struct {
	rest []string
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *reader) word() string {
	if len(r.rest) == 0 {
		r.fail(fmt.Errorf("too short: %w", errForm))
		return ""
	}
	w := r.rest[0]
	r.rest = r.rest[1:]
	return w
}

// number reads one of at most so many bits.
func (r *reader) number(bits int) uint64 {
	w := r.word()
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(w, 10, bits)
	if err != nil {
		r.fail(err)
	}
	return n
}

// count reads how many follow: each takes so many words, so no memory is taken for more.
func (r *reader) count(words int) int {
	n := r.number(31)
	if n > uint64(len(r.rest)/words) {
		r.fail(fmt.Errorf("%d are not there: %w", n, errForm))
		return 0
	}
	return int(n)
}

func (r *reader) dev() Number {
	w := r.word()
	if r.err != nil {
		return Number{}
	}
	n, err := ParseNumber(w)
	if err != nil {
		r.fail(err)
	}
	return n
}

// devOrDash reads a device that may be missing.
func (r *reader) devOrDash() *Number {
	if len(r.rest) > 0 && r.rest[0] == "-" {
		r.rest = r.rest[1:]
		return nil
	}
	n := r.dev()
	return &n
}

func (r *reader) area() Area { return Area{r.dev(), r.number(64)} }

func (r *reader) striped() Striped {
	n := int(r.number(31))
	s := Striped{Chunk: uint32(r.number(32))}
	for len(r.rest) > 0 {
		s.Stripes = append(s.Stripes, r.area())
	}
	if n != len(s.Stripes) {
		r.fail(fmt.Errorf("%d stripes, not %d: %w", len(s.Stripes), n, errForm))
	}
	return s
}

func (r *reader) thinPool() *ThinPool {
	p := &ThinPool{Meta: r.dev(), Data: r.dev(), BlockSectors: uint32(r.number(32)), LowWater: r.number(64)}
	if len(r.rest) == 0 {
		return p
	}
	for range r.count(1) {
		word, known := r.word(), false
		for _, f := range p.features() {
			if f.word == word {
				*f.value, known = true, true
			}
		}
		if !known {
			r.fail(fmt.Errorf("feature %q: %w", word, errForm))
		}
	}
	return p
}

func (r *reader) thin() Thin {
	t := Thin{Pool: r.dev(), ID: uint32(r.number(32))}
	if len(r.rest) > 0 {
		n := r.dev()
		t.Origin = &n
	}
	return t
}

// raid does not need the number of parameters: options are words, and the number of legs is none.
func (r *reader) raid() *Raid {
	v := &Raid{Level: r.word()}
	r.number(31)
	v.ChunkSectors = uint32(r.number(32))
	for len(r.rest) > 0 && (r.rest[0][0] < '0' || r.rest[0][0] > '9') {
		r.option(v)
	}
	for range r.count(2) {
		v.Legs = append(v.Legs, Leg{r.devOrDash(), r.devOrDash()})
	}
	return v
}

// option reads a word and its argument.
func (r *reader) option(v *Raid) {
	switch w := r.word(); w {
	case "sync":
		v.Sync = true
	case "nosync":
		v.NoSync = true
	case "rebuild":
		v.Rebuild = append(v.Rebuild, int(r.number(31)))
	case "min_recovery_rate":
		v.MinRecoveryRate = uint32(r.number(32))
	case "max_recovery_rate":
		v.MaxRecoveryRate = uint32(r.number(32))
	case "write_mostly":
		v.WriteMostly = append(v.WriteMostly, int(r.number(31)))
	case "max_write_behind":
		v.MaxWriteBehind = uint32(r.number(32))
	case "region_size":
		v.RegionSectors = r.number(64)
	case "raid10_copies":
		v.Copies = int(r.number(31))
	case "raid10_format":
		v.Format = r.word()
	default:
		r.fail(fmt.Errorf("parameter %q: %w", w, errForm))
	}
}
