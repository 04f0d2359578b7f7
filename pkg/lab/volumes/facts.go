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

// told is what the guest has told of a recipe, by names of volumes and arrays. Members of a volume
// on a mirror are its copies.
type told struct {
	pieces  map[string][]Piece
	members map[string][]Piece
}

// parser has what the lines before have said of devices, by their numbers.
type parser struct {
	told
	places  map[string]place
	mirrors map[string][]Piece
}

// parseFacts reads the guest's lines about a recipe:
//
//	RECIPE disk INDEX MAJOR:MINOR START
//	RECIPE array NAME MAJOR:MINOR LEVEL MAJOR:MINOR OFFSET SECTORS
//	RECIPE table NAME: FIRST SECTORS TARGET ARGUMENTS...
//
// The lines of disks come first, and those of arrays before tables.
func parseFacts(facts, recipe string) (told, error) {
	p := parser{told{map[string][]Piece{}, map[string][]Piece{}}, map[string]place{}, map[string][]Piece{}}
	for line := range strings.Lines(facts) {
		words := strings.Fields(line)
		if len(words) < 5 || words[0] != recipe {
			continue
		}
		var err error
		switch words[1] {
		case "disk":
			p.places[words[3]], err = parsePlace(words[2], words[4])
		case "array":
			err = p.member(words[2], words[3:])
		case "table":
			err = p.table(strings.TrimSuffix(words[2], ":"), words[4:])
		}
		if err != nil {
			return told{}, fmt.Errorf("fact %q: %w", strings.TrimSpace(line), err)
		}
	}
	return p.told, nil
}

// member reads what follows an array's name.
func (p *parser) member(name string, words []string) error {
	if len(words) != 5 {
		return errFact
	}
	m, err := p.piece(words[2], words[3], words[4])
	p.members[name] = append(p.members[name], m)
	if words[1] == "raid1" {
		p.mirrors[words[0]] = append(p.mirrors[words[0]], m)
	}
	return err
}

// table reads the sectors of a table's line, its target and its arguments: only linear has one
// place, which may be a disk, or a mirror.
func (p *parser) table(name string, words []string) error {
	if len(words) < 2 {
		return errFact
	}
	piece := Piece{Disk: -1}
	if words[1] == "linear" {
		if len(words) != 4 {
			return errFact
		}
		var err error
		if piece, err = p.piece(words[2], words[3], words[0]); err != nil {
			return err
		}
		for _, m := range p.mirrors[words[2]] {
			p.members[name] = append(p.members[name], Piece{Disk: m.Disk, Offset: m.Offset + piece.Offset, Size: piece.Size})
		}
	}
	p.pieces[name] = append(p.pieces[name], piece)
	return nil
}

func parsePlace(index, start string) (place, error) {
	i, err := strconv.Atoi(index)
	if err != nil {
		return place{}, err
	}
	sector, err := strconv.ParseInt(start, 10, 64)
	return place{disk: i, start: sector * sectorSize}, err
}

// piece is a piece of the device with a number, from a sector of it on. On what is no disk it has
// Disk -1, and its Offset on that.
func (p *parser) piece(number, sector, sectors string) (Piece, error) {
	first, err := strconv.ParseInt(sector, 10, 64)
	if err != nil {
		return Piece{}, err
	}
	length, err := strconv.ParseInt(sectors, 10, 64)
	at, ok := p.places[number]
	if !ok {
		at.disk = -1
	}
	return Piece{Disk: at.disk, Offset: at.start + first*sectorSize, Size: length * sectorSize}, err
}
