package table

// layoutOf returns the layout of a target.
func layoutOf(t Target) (layout, error) {
	switch t := t.(type) {
	case Linear:
		return layout{devices: []*Number{&t.Dev}, offsets: []int64{int64(t.Offset) * SectorSize}, find: first}, nil
	case Striped:
		l := layout{chunk: int64(t.Chunk) * SectorSize, find: striped(int64(len(t.Stripes)))}
		for _, a := range t.Stripes {
			l.devices = append(l.devices, &a.Dev)
			l.offsets = append(l.offsets, int64(a.Offset)*SectorSize)
		}
		return l, nil
	case *Raid:
		return t.layout()
	}
	return layout{}, ErrNotReadable
}

// first is for a target of one device without chunks.
func first(int64) []place { return []place{{0, 0}} }

// striped puts chunks onto n devices in turn.
func striped(n int64) func(int64) []place {
	return func(c int64) []place { return []place{{int(c % n), c / n}} }
}

// layout returns that of a raid. Legs that are written anew count as missing.
func (r *Raid) layout() (layout, error) {
	l := layout{chunk: int64(r.ChunkSectors) * SectorSize}
	for _, leg := range r.Legs {
		l.devices = append(l.devices, leg.Data)
	}
	for _, i := range r.Rebuild {
		l.devices[i] = nil
	}
	n := int64(len(r.Legs))
	if r.Level != "raid1" && r.ChunkSectors == 0 {
		return layout{}, ErrNotReadable
	}
	switch r.Level {
	case "raid0":
		l.find = striped(n)
	case "raid1":
		l.find = mirrored(r)
	case "raid10", "raid10_near":
		if r.Format != "" && r.Format != "near" {
			return layout{}, ErrNotReadable
		}
		l.find = near(n, int64(max(r.Copies, 2)))
	default:
		find := parityOf(r.Level)
		if find == nil {
			return layout{}, ErrNotReadable
		}
		l.find = withParity(find, n, int64(parityLegs(r.Level)))
	}
	return l, nil
}

// mirrored returns the legs of a raid1; those that should not be read come last.
func mirrored(r *Raid) func(int64) []place {
	var order, last []place
	for i := range r.Legs {
		at := place{device: i}
		mostly := false
		for _, w := range r.WriteMostly {
			mostly = mostly || w == i
		}
		if mostly {
			last = append(last, at)
		} else {
			order = append(order, at)
		}
	}
	order = append(order, last...)
	return func(int64) []place { return order }
}

// near puts the copies of a chunk beside each other (drivers/md/raid10.c: __raid10_find_phys).
func near(n, copies int64) func(int64) []place {
	return func(c int64) []place {
		var out []place
		for p := c * copies; p < (c+1)*copies; p++ {
			out = append(out, place{int(p % n), p / n})
		}
		return out
	}
}

// parityLegs is how many chunks of a stripe hold no data.
func parityLegs(level string) int {
	if len(level) >= 5 && level[:5] == "raid6" {
		return 2
	}
	return 1
}

// withParity puts chunks onto stripes of n legs; find returns the leg of the d-th chunk of stripe
// s.
func withParity(find func(n, s, d int64) int64, n, parity int64) func(int64) []place {
	data := n - parity
	if data <= 0 {
		return func(int64) []place { return nil }
	}
	return func(c int64) []place {
		s := c / data
		return []place{{int(find(n, s, c%data)), s}}
	}
}

// parityOf returns which leg has the d-th chunk of stripe s of a raid with n legs
// (drivers/md/raid5.c: raid5_compute_sector; drivers/md/dm-raid.c: raid_types has which name stands
// for which algorithm); nil: the level is not known here.
func parityOf(level string) func(n, s, d int64) int64 {
	switch level {
	case "raid4":
		return func(_, _, d int64) int64 { return d + 1 }
	case "raid5_n", "raid6_n_6":
		return func(_, _, d int64) int64 { return d }
	case "raid5_ls", "raid6_nc":
		return func(n, s, d int64) int64 { return (n - s%n + d) % n }
	case "raid5_rs":
		return func(n, s, d int64) int64 { return (s%n + 1 + d) % n }
	case "raid5_la":
		return func(n, s, d int64) int64 { return behind(d, n-1-s%n, 1) }
	case "raid5_ra":
		return func(n, s, d int64) int64 { return behind(d, s%n, 1) }
	case "raid6_zr":
		return func(n, s, d int64) int64 { return beside(n, s%n, d) }
	case "raid6_nr":
		return func(n, s, d int64) int64 { return beside(n, n-1-(s+1)%n, d) }
	}
	return nil
}

// behind skips the legs of the parity, from leg p on.
func behind(d, p, skip int64) int64 {
	if d >= p {
		return d + skip
	}
	return d
}

// beside skips the parity on leg p and the one behind it, which is the first leg if p is the last.
func beside(n, p, d int64) int64 {
	if p == n-1 {
		return d + 1
	}
	return behind(d, p, 2)
}
