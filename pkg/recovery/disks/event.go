package disks

import "encoding/binary"

// fanEvent is struct fanotify_event_metadata (include/uapi/linux/fanotify.h).
type fanEvent struct{ fd, pid int32 }

// fanSize is the structure's size:
//
//	struct fanotify_event_metadata {
//		__u32 event_len; __u8 vers; __u8 reserved; __u16 metadata_len;
//		__aligned_u64 mask; __s32 fd; __s32 pid;
//	};
const fanSize = 24

// parseFanotify reads the events in a buffer, up to the first that is none.
func parseFanotify(b []byte) []fanEvent {
	var out []fanEvent
	for len(b) >= fanSize {
		n := binary.NativeEndian.Uint32(b)
		if n < fanSize || uint64(n) > uint64(len(b)) {
			break
		}
		out = append(out, fanEvent{int32(binary.NativeEndian.Uint32(b[16:])), int32(binary.NativeEndian.Uint32(b[20:]))})
		b = b[n:]
	}
	return out
}

// inEvent is struct inotify_event (include/uapi/linux/inotify.h) without its name:
//
//	struct inotify_event { __s32 wd; __u32 mask; __u32 cookie; __u32 len; char name[]; };
type inEvent struct {
	wd   int32
	mask uint32
}

const inSize = 16

// parseInotify reads the events in a buffer, up to the first that is none.
func parseInotify(b []byte) []inEvent {
	var out []inEvent
	for len(b) >= inSize {
		n := uint64(binary.NativeEndian.Uint32(b[12:]))
		if inSize+n > uint64(len(b)) {
			break
		}
		out = append(out, inEvent{int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])})
		b = b[inSize+n:]
	}
	return out
}
