package lvm

// ThinPool gives its extents to thin LVs. Its data and its metadata are LVs of the same VG.
type ThinPool struct {
	Data, Meta    string
	ChunkSectors  uint32
	TransactionID uint64 // counts the changes that the kernel's metadata have to know
	Pending       bool   // messages to the kernel are not sent: the last change was not finished
	Discards      string // "passdown", "nopassdown", "ignore"; empty: ignore
	Zero          bool   // new blocks are zeroed
	Crop          bool   // of the metadata only as much is used as the kernel can
}

func (p *ThinPool) names() []string { return []string{p.Data, p.Meta} }

// Thin is an LV of a pool.
type Thin struct {
	Pool          string
	DeviceID      uint32
	TransactionID uint64
	Origin        string // of which it is a snapshot, within the pool
	External      string // an LV outside of the pool, for the blocks that the pool does not have
	Merge         string // the LV into which it is to be merged
}

func (t *Thin) names() []string {
	if t.External != "" {
		return []string{t.Pool, t.External}
	}
	return []string{t.Pool}
}

// readThinPool reads a pool (lib/thin/thin.c: _thin_pool_text_import).
func readThinPool(s *section) *ThinPool {
	p := &ThinPool{
		Data:          s.text("pool"),
		Meta:          s.text("metadata"),
		ChunkSectors:  uint32(s.number("chunk_size", 32)),
		TransactionID: s.number("transaction_id", 64),
		Discards:      s.optionalText("discards"),
		Zero:          s.optional("zero_new_blocks") != 0,
		Crop:          s.optional("crop_metadata") != 0,
	}
	switch p.Discards {
	case "", "ignore", "passdown", "nopassdown":
	default:
		s.fail("discards", "is %q", clip(p.Discards))
	}
	if p.ChunkSectors == 0 {
		s.fail("chunk_size", "is 0")
	}
	for _, c := range s.node.children {
		p.Pending = p.Pending || c.section // "message1 { create = ... }"
	}
	return p
}

// readThin reads a thin LV (lib/thin/thin.c: _thin_text_import).
func readThin(s *section) *Thin {
	t := &Thin{
		Pool:          s.text("thin_pool"),
		DeviceID:      uint32(s.number("device_id", 24)),
		TransactionID: s.number("transaction_id", 64),
		Origin:        s.optionalText("origin"),
		External:      s.optionalText("external_origin"),
		Merge:         s.optionalText("merge"),
	}
	return t
}
