package dm

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Sizes and offsets of struct dm_target_spec, in bytes; parameters that end with a NUL follow.
//
//	struct dm_target_spec {
//		__u64 sector_start;                 //  0
//		__u64 length;                       //  8
//		__s32 status;                       // 16
//		__u32 next;                         // 20
//		char target_type[DM_MAX_TYPE_NAME]; // 24
//	};
const (
	specLength, specNext, specType, specLen = 8, 20, 24, 40

	alignment = 8
)

// Status is one range of a device as the kernel prints it. Start and Length are in sectors of 512
// bytes.
type Status struct {
	Start, Length uint64
	Type          string // "linear"
	Text          string // what it means depends on the type
}

// marshalTable returns what DM_TABLE_LOAD takes: next counts from the beginning of a spec.
func marshalTable(t table.Table) []byte {
	var b []byte
	for _, l := range t {
		params := l.Target.Params()
		size := (specLen + len(params) + 1 + alignment - 1) &^ (alignment - 1)
		spec := make([]byte, size)
		native.PutUint64(spec, l.Start)
		native.PutUint64(spec[specLength:], l.Length)
		native.PutUint32(spec[specNext:], uint32(size))
		copy(spec[specType:specLen-1], l.Target.Type())
		copy(spec[specLen:], params)
		b = append(b, spec...)
	}
	return b
}

// unmarshalStatus reads what DM_TABLE_STATUS returns: next counts from the first spec.
func unmarshalStatus(data []byte, n uint32) ([]Status, error) {
	var out []Status
	at := uint64(0)
	for i := range n {
		if at+specLen > uint64(len(data)) {
			return nil, fmt.Errorf("target %d at %d of %d bytes: %w", i, at, len(data), errAnswer)
		}
		spec, next := data[at:], uint64(native.Uint32(data[at+specNext:]))
		if next < at+specLen {
			return nil, fmt.Errorf("target %d is behind target %d: %w", i, i+1, errAnswer)
		}
		end := min(next-at, uint64(len(spec)))
		out = append(out, Status{
			Start: native.Uint64(spec), Length: native.Uint64(spec[specLength:]),
			Type: cString(spec[specType:specLen]), Text: cString(spec[specLen:end]),
		})
		at = next
	}
	return out, nil
}

// unmarshalDeps reads struct dm_target_deps: { __u32 count; __u32 padding; __u64 dev[]; }.
func unmarshalDeps(data []byte) ([]table.Number, error) {
	const first, each = 8, 8
	if len(data) < first {
		return nil, fmt.Errorf("%d bytes: %w", len(data), errAnswer)
	}
	n := uint64(native.Uint32(data))
	if n > uint64(len(data)-first)/each {
		return nil, fmt.Errorf("%d devices in %d bytes: %w", n, len(data), errAnswer)
	}
	var out []table.Number
	for i := range n {
		out = append(out, number(native.Uint64(data[first+i*each:])))
	}
	return out, nil
}

// Entry is a device in the list of all.
type Entry struct {
	Name   string
	Number table.Number
}

// unmarshalList reads a chain of struct dm_name_list: { __u64 dev; __u32 next; char name[]; }. Next
// counts from the beginning of each; 0 is the last. An empty list has no data, or a device 0.
func unmarshalList(data []byte) ([]Entry, error) {
	const nextAt, nameAt = 8, 12
	if len(data) == 0 {
		return nil, nil
	}
	var out []Entry
	for {
		if len(data) < nameAt {
			return nil, fmt.Errorf("%d bytes: %w", len(data), errAnswer)
		}
		dev, next := number(native.Uint64(data)), uint64(native.Uint32(data[nextAt:]))
		if dev == (table.Number{}) && len(out) == 0 {
			return nil, nil
		}
		out = append(out, Entry{cString(data[nameAt:]), dev})
		if next == 0 {
			return out, nil
		}
		if next < nameAt || next > uint64(len(data)) {
			return nil, fmt.Errorf("next device after %d of %d bytes: %w", next, len(data), errAnswer)
		}
		data = data[next:]
	}
}
