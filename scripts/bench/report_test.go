package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testReport() *Report {
	c := Config{NIC: "e1000", CPUs: 1, Results: []Result{
		{Name: ours, Bytes: 2 << 20, Boots: []Boot{
			{Round: 0, Run: 1, Real: 2, Available: 400 << 10},
			{Round: 1, Run: 1, Real: 3, Available: 410 << 10},
		}, Steps: []Step{{"<start>", 0, 0.5}, {"to the real init", 0.5, 1}}},
		{Name: "limit", Bytes: 3 << 20, Boots: []Boot{
			{Round: 0, Run: 1, Real: 3, Available: 400 << 10},
			{Round: 1, Run: 1, Real: 2, Available: 400 << 10},
			{Round: 2, Run: 1, Real: 9, Available: 400 << 10},
		}, Failed: []string{"panic"}},
		{Name: "seed"},
	}}
	c.summarise()
	return &Report{Kernel: "6.1.0", Rounds: 3, Configs: []Config{c}}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	got := testReport().Configs[0].Ratios
	want := []Ratio{
		{Peer: "limit", Rounds: 2, Init: Spread{1.25, 0.5, 2}, Total: Spread{(2/3. + 1.5) / 2, 2 / 3., 1.5}},
		{Peer: "seed"},
	}
	if d := cmp.Diff(want, got, nearly); d != "" {
		t.Error(d)
	}
}

func TestCostOfDHCP(t *testing.T) {
	c := Config{Results: []Result{
		{Name: ours, Boots: []Boot{{Round: 0, Run: 1, Real: 2}, {Round: 1, Run: 1, Real: 4}}},
		{Name: dhcp, Boots: []Boot{{Round: 1, Run: 2, Real: 5.5}, {Round: 0, Run: 1, Real: 2.25}, {Round: 2, Run: 1, Real: 9}}},
	}}
	c.summarise()
	if want := (Spread{0.375, 0.25, 0.5}); c.DHCP != want {
		t.Errorf("%+v, want %+v", c.DHCP, want)
	}
	if text := (&Report{Configs: []Config{c}}).table(); !strings.Contains(text, "an address by DHCP takes 0.375 (0.250-0.500) s longer") {
		t.Errorf("the table does not say it:\n%s", text)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{3, 1}, Spread{2, 1, 3}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9}},
	} {
		if got := spread(c.in); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	text := testReport().table()
	for _, want := range []string{"e1000, 1 processor, linux 6.1.0, 3 rounds", "ours", "2.00", "1.500 (1.000-2.000)", "1.250 (0.500-2.000)", "<start>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestSVGIsXML(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(testReport().svg()))
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if want := 1 + 3*2 + 2; bars != want { // the ground, two for each initramfs, one for each step
		t.Errorf("%d bars, want %d", bars, want)
	}
}

func TestGridStep(t *testing.T) {
	for end, want := range map[float64]float64{1: 0.2, 3: 1, 6.7: 2, 15: 5, 0.9: 0.2} {
		if got := gridStep(end); got/want < 0.999 || got/want > 1.001 {
			t.Errorf("%v: %v, want %v", end, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-smp", "1,2", "-only", "limit"}, "7")
	if err != nil || o.rounds != 7 || len(o.cpus) != 2 || !cmp.Equal(o.only, []string{"limit", ours}) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-smp", "0"}, {"-rounds", "0"}, {"word"}} {
		if _, err := parseOptions(args, ""); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	if _, err := parseOptions(nil, "many"); err == nil {
		t.Error("BENCH_ROUNDS=many: no error")
	}
}

func TestBuildTable(t *testing.T) {
	text := buildTable("6.1.0", 3, []Build{
		{Maker: ours, What: oneCard, Bytes: 3 << 20, Wall: Spread{0.5, 0.25, 1}, CPU: Spread{0.75, 0.5, 1}, Limit: "1 s"},
		{Maker: "dracut", What: allCards, Bytes: 30 << 20, Wall: Spread{20, 10, 30}},
	})
	for _, want := range []string{"linux 6.1.0, 3 rounds", "ours    one card, ext4  3.00   0.500 (0.250-1.000)", "0.75   1 s", "dracut  all cards       30.00  20.000 (10.000-30.000)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
