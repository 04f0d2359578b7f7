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
	pieces  map[string][]Piece
	members map[string][]Piece
}

// parseFacts reads the guest's lines about a recipe:
//
//	RECIPE disk INDEX MAJOR:MINOR START
//	RECIPE table NAME: FIRST SECTORS TARGET ARGUMENTS...
//	RECIPE array NAME LEVEL MAJOR:MINOR OFFSET SECTORS
//
// The lines of disks come first.
func parseFacts(facts, recipe string) (told, error) {
	t := told{map[string][]Piece{}, map[string][]Piece{}}
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
			var p Piece
			p, err = parsePiece(words[4:], places)
			t.pieces[name] = append(t.pieces[name], p)
		case "array":
			var m Piece
			m, err = parseMember(words[3:], places)
			t.members[words[2]] = append(t.members[words[2]], m)
		}
		if err != nil {
			return told{}, fmt.Errorf("fact %q: %w", strings.TrimSpace(line), err)
		}
	}
	return t, nil
}

// parseMember reads what follows an array's name: LEVEL MAJOR:MINOR OFFSET SECTORS.
func parseMember(words []string, places map[string]place) (Piece, error) {
	if len(words) != 4 {
		return Piece{}, errFact
	}
	return newPiece(words[1], words[2], words[3], places)
}

func parsePlace(index, start string) (place, error) {
	i, err := strconv.Atoi(index)
	if err != nil {
		return place{}, err
	}
	sector, err := strconv.ParseInt(start, 10, 64)
	return place{disk: i, start: sector * sectorSize}, err
}

// parsePiece reads the sectors of a table's line, its target and its arguments: only linear has one
// place, which may be a disk.
func parsePiece(words []string, places map[string]place) (Piece, error) {
	switch {
	case len(words) < 2:
		return Piece{}, errFact
	case words[1] != "linear":
		return Piece{Disk: -1}, nil
	case len(words) != 4:
		return Piece{}, errFact
	}
	return newPiece(words[2], words[3], words[0], places)
}

// newPiece is a piece of the device with a number, from a sector of it on.
func newPiece(number, sector, sectors string, places map[string]place) (Piece, error) {
	first, err := strconv.ParseInt(sector, 10, 64)
	if err != nil {
		return Piece{}, err
	}
	length, err := strconv.ParseInt(sectors, 10, 64)
	at, ok := places[number]
	if !ok || err != nil {
		return Piece{Disk: -1}, err
	}
	return Piece{Disk: at.disk, Offset: at.start + first*sectorSize, Size: length * sectorSize}, nil
}
