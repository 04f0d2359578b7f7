package volumes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const sectorSize = 512

var errFact = errors.New("line is not understood")

// place is a disk or a partition: the disk's number in the recipe, and the partition's first byte.
type place struct {
	disk  int
	start int64
}

// told is what the guest has told of a recipe, by names of volumes and arrays.
type told struct {
	pieces  map[string][]piece
	members map[string][]Member
}

// parseFacts reads the guest's lines about a recipe:
//
//	RECIPE disk INDEX MAJOR:MINOR START
//	RECIPE table NAME: FIRST SECTORS TARGET ARGUMENTS...
//	RECIPE array NAME LEVEL MAJOR:MINOR OFFSET SECTORS
//
// The lines of disks come first.
func parseFacts(facts, recipe string) (told, error) {
	t := told{map[string][]piece{}, map[string][]Member{}}
	places := map[string]place{}
	for line := range strings.Lines(facts) {
		words := strings.Fields(line)
		if len(words) < 5 || words[0] != recipe {
			continue
		}
		var err error
		switch words[1] {
		case "disk":
			places[words[3]], err = parsePlace(words[2], words[4])
		case "table":
			name := strings.TrimSuffix(words[2], ":")
			var p piece
			p, err = parsePiece(words[5:], places)
			t.pieces[name] = append(t.pieces[name], p)
		case "array":
			var m Member
			m, err = parseMember(words[3:], places)
			t.members[words[2]] = append(t.members[words[2]], m)
		}
		if err != nil {
			return told{}, fmt.Errorf("fact %q: %w", strings.TrimSpace(line), err)
		}
	}
	return t, nil
}

// parseMember reads what follows an array's name. A member that is on no disk alone has Disk -1.
func parseMember(words []string, places map[string]place) (Member, error) {
	if len(words) != 4 {
		return Member{}, errFact
	}
	sector, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return Member{}, err
	}
	sectors, err := strconv.ParseInt(words[3], 10, 64)
	at, ok := places[words[1]]
	if !ok {
		return Member{Disk: -1}, err
	}
	return Member{Disk: at.disk, Offset: at.start + sector*sectorSize, Size: sectors * sectorSize}, err
}

func parsePlace(index, start string) (place, error) {
	i, err := strconv.Atoi(index)
	if err != nil {
		return place{}, err
	}
	sector, err := strconv.ParseInt(start, 10, 64)
	return place{disk: i, start: sector * sectorSize}, err
}

// parsePiece reads a target and its arguments: only linear has one place, which may be a disk.
func parsePiece(words []string, places map[string]place) (piece, error) {
	if len(words) == 0 {
		return piece{}, errFact
	}
	if words[0] != "linear" {
		return piece{disk: -1}, nil
	}
	if len(words) != 3 {
		return piece{}, errFact
	}
	at, ok := places[words[1]]
	if !ok {
		return piece{disk: -1}, nil
	}
	sector, err := strconv.ParseInt(words[2], 10, 64)
	return piece{disk: at.disk, offset: at.start + sector*sectorSize}, err
}
