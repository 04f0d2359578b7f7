package multipath

import (
	"strconv"
	"strings"
)

// UUIDPrefix is what the uuids of multipath maps in device-mapper begin with (multipath-tools
// libmultipath/devmapper.c: UUID_PREFIX).
const UUIDPrefix = "mpath-"

// partPrefix begins the uuid of a partition's device (multipath-tools kpartx/devmapper.c:
// make_prefixed_uuid).
const partPrefix = "part"

// Name is the map's in device-mapper: its ID, as multipath-tools name it without
// user_friendly_names.
func (m Map) Name() string { return string(m.ID) }

// UUID is the map's in device-mapper.
func (m Map) UUID() string { return UUIDPrefix + string(m.ID) }

// PartitionName is the name in device-mapper of a map's n-th partition, from 1: "NAME-part2", as
// kpartx names it by the rules of multipath-tools (kpartx/kpartx.rules.in: -p -part).
func PartitionName(mapName string, n int) string {
	return mapName + "-" + partPrefix + strconv.Itoa(n)
}

// PartitionUUID is the uuid in device-mapper of the n-th partition, from 1, of the map of a LUN:
// "part2-mpath-ID".
func PartitionUUID(id ID, n int) string {
	return partPrefix + strconv.Itoa(n) + "-" + UUIDPrefix + string(id)
}

// ParseUUID reads the uuid of a multipath map, part is 0 then, or of a map's partition. Without ok
// it is the uuid of another kind of device.
func ParseUUID(uuid string) (id ID, part int, ok bool) {
	if rest, isPart := strings.CutPrefix(uuid, partPrefix); isPart {
		digits, rest, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || strconv.Itoa(n) != digits {
			return "", 0, false
		}
		part, uuid = n, rest
	}
	text, ok := strings.CutPrefix(uuid, UUIDPrefix)
	if !ok || text == "" {
		return "", 0, false
	}
	return ID(text), part, true
}
