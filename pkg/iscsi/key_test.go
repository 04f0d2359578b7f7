package iscsi

import "testing"

// TestKeyTable: the conditions that the login engine expects of the table.
func TestKeyTable(t *testing.T) {
	seen := map[string]bool{}
	cfg := &LoginConfig{InitiatorName: "iqn.a", TargetName: "iqn.b", Offer: DefaultOffer()}
	for i := range keys {
		k := &keys[i]
		if seen[k.name] || !validKey(k.name) || k.section == "" || k.sender == 0 || k.stages == 0 {
			t.Errorf("%s: incomplete, or a second time", k.name)
		}
		seen[k.name] = true
		if k.fn != declare && k.fn != obsolete && k.fn != proof {
			if _, err := k.parse(k.def); err != nil || k.def == "" {
				t.Errorf("%s: default %q: %v", k.name, k.def, err)
			}
		}
		if k.offer != nil {
			if _, err := k.parse(k.offer(cfg)); err != nil {
				t.Errorf("%s: offer: %v", k.name, err)
			}
			if k.sender&initiator == 0 {
				t.Errorf("%s: we offer a key of the target", k.name)
			}
		}
		if k.lo > k.hi {
			t.Errorf("%s: range %d to %d", k.name, k.lo, k.hi)
		}
	}
}

// TestFunctions: the outcome of two sides, and whether the first side's value alone decides it.
func TestFunctions(t *testing.T) {
	tests := []struct {
		fn                  function
		offer, want, result string
		settled             bool
	}{
		{and, "Yes", "Yes", "Yes", false},
		{and, "Yes", "No", "No", false},
		{and, "No", "Yes", "No", true},
		{or, "Yes", "No", "Yes", true},
		{or, "No", "Yes", "Yes", false},
		{or, "No", "No", "No", false},
		{minimum, "7", "5", "5", false},
		{minimum, "0x5", "7", "5", false},
		{maximum, "7", "5", "7", false},
		{maximum, "5", "7", "7", false},
		{list, "B,A", "A,B", "B", false},
		{list, "C,A", "A,B", "A", false},
		{list, "C,D", "A,B", "Reject", false},
		{obsolete, "1~2", "", "Reject", false},
	}
	for _, tt := range tests {
		k := &key{fn: tt.fn}
		if tt.fn == minimum || tt.fn == maximum {
			k.hi = 9
		}
		offer, err := k.parse(tt.offer)
		if err != nil {
			t.Fatal(err)
		}
		want, err := k.parse(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		got := k.combine(offer, want)
		if got != tt.result || k.settled(offer) != tt.settled {
			t.Errorf("function %d of %s and %s: %s, settled %v", tt.fn, tt.offer, tt.want, got, k.settled(offer))
		}
		if got == valueReject {
			continue
		}
		// An answer that one side may give is legal for the other.
		if v, err := k.parse(got); err != nil || !k.legal(offer, v) {
			t.Errorf("function %d: %s is not a legal answer to %s: %v", tt.fn, got, tt.offer, err)
		}
	}
}
