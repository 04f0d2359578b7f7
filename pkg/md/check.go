package md

import (
	"errors"
	"fmt"
)

// check compares the fields with each other and with the device, whose sectors are given, as the
// kernel does when it gets the member (md.c: super_1_load, md_run).
func (s *Superblock) check(sectors uint64) error {
	const least = 10 // sectors of data
	at := places(sectors)[s.Minor]
	end := sectors
	if s.Minor == 0 {
		end = at
	}
	switch {
	case s.DataSectors < least:
		return fmt.Errorf("%d sectors of data", s.DataSectors)
	case s.DataOffset > end || s.DataSectors > end-s.DataOffset:
		return fmt.Errorf("%d sectors of data at sector %d, on a device that has %d: is it whole?", s.DataSectors, s.DataOffset, end)
	case s.Minor != 0 && s.DataOffset < at+uint64(headerLen+2*len(s.Roles)+sectorSize-1)/sectorSize:
		return fmt.Errorf("data at sector %d, in the superblock", s.DataOffset)
	case s.Level.Redundant() && s.Sectors > s.DataSectors:
		return fmt.Errorf("%d sectors of data, less than the %d of each member", s.DataSectors, s.Sectors)
	}
	return s.checkLevel()
}

// checkLevel checks what the kernel's module of the level does not accept (raid5.c: setup_conf,
// raid5_run; raid10.c: setup_geo; raid0.c: raid0_run).
func (s *Superblock) checkLevel() error {
	const page = 8 // sectors; what the kernel needs at least on all machines
	least := 1
	if s.Level.parity() > 0 {
		least = 2 * s.Level.parity()
	}
	all, _ := copies(s.Layout)
	switch {
	case s.Disks < least:
		return fmt.Errorf("%v of %d slots", s.Level, s.Disks)
	case s.Level == RAID0 && s.ChunkSectors == 0:
		return errors.New("chunks of 0 sectors")
	case (s.Level.parity() > 0 || s.Level == RAID10) && (s.ChunkSectors < page || s.ChunkSectors&(s.ChunkSectors-1) != 0):
		return fmt.Errorf("chunks of %d sectors", s.ChunkSectors)
	case s.Level == RAID10 && (all == 0 || all > s.Disks):
		return fmt.Errorf("raid10 of layout %#x with %d slots", s.Layout, s.Disks)
	}
	return nil
}
