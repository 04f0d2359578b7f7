package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// throughputDeadline is for the machine that measures throughput.
const throughputDeadline = 15 * time.Minute

// throughputTurns is how many short turns of the guest's make one round: the shorter a turn, the
// more of what disturbs one session disturbs the other.
const throughputTurns = 4

// iscsistart is the program of the comparison.
const iscsistart = "iscsistart"

// Throughput is how fast data moves through the disk of init's session and of one that iscsistart
// made with its defaults, in one machine, to the same target, in turns.
type Throughput struct {
	// Values are what each session has negotiated, by attribute.
	Values map[string]map[string]string `json:"values"`
	// Rates are in bytes per second, one for each turn.
	Rates map[string]map[string][]float64 `json:"rates"`
	// Ratios are ours divided by iscsistart's of the same turn: more than 1 is faster.
	Ratios map[string]Spread `json:"ratios"`
}

// throughputKinds are what is measured, in the order of the table.
var throughputKinds = []string{"read", "write", "random"}

// throughput measures and reports.
func (s *stage) throughput(ctx context.Context) error {
	t, err := s.measureThroughput(ctx)
	if err != nil {
		return err
	}
	fmt.Print(t.table())
	path := filepath.Join(s.out, "throughput.json")
	say("%s has every turn", path)
	return t.writeJSON(path)
}

// measureThroughput boots the machine that measures.
func (s *stage) measureThroughput(ctx context.Context) (t Throughput, err error) {
	ctx, cancel := context.WithTimeout(ctx, throughputDeadline)
	defer cancel()
	n, err := findNIC(s.nics[0])
	if err != nil {
		return t, err
	}
	disk, err := s.throughputDisk()
	if err != nil {
		return t, err
	}
	data := filepath.Join(s.dir, "data")
	if err := os.WriteFile(data, nil, 0o600); err != nil {
		return t, err
	}
	if err := os.Truncate(data, 256<<20); err != nil {
		return t, err
	}
	img := image{path: filepath.Join(s.dir, "throughput.img")}
	if _, err := initramfs.Build(ctx, s.ourConfig(n), img.path); err != nil {
		return t, err
	}
	ns, err := lab.NewNamespace()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	target := targets.Config{
		LUNs:    map[int]string{1: disk.Path, 2: data},
		Portals: []netip.AddrPort{netip.MustParseAddrPort("10.77.0.1:3261")}, // iscsistart makes no second session at one portal
	}
	m, err := s.machineWith(ctx, ns, img, n, s.cpus[0], commandLine+" iscsi_lun=1 root=/dev/sda2 "+s.extra, target)
	if err != nil {
		return t, err
	}
	if _, err := m.Wait(ctx); err != nil {
		return t, err
	}
	return readThroughput(m.Output())
}

// throughputDisk is a root with the guest's program and iscsistart.
func (s *stage) throughputDisk() (*images.Disk, error) {
	p, err := openPackages()
	if err != nil {
		return nil, err
	}
	root := images.Tree{
		"sbin/init": images.Copy(s.native["throughput"]), "etc/rounds": images.Text(strconv.Itoa(throughputTurns * s.rounds)),
		"dev": images.Dir(), "proc": images.Dir(), "sys": images.Dir(), "run": images.Dir(), "tmp": images.Dir(),
	}
	if err := p.addTo(root, "", iscsistart); err != nil {
		return nil, err
	}
	return images.WriteDisk(filepath.Join(s.dir, "throughput-disk"),
		images.Filesystem{Type: "ext2", MiB: 8}, images.Filesystem{Type: "ext4", MiB: 64, Tree: root})
}

var throughputLine = regexp.MustCompile(`(?m)^bench: (?:value (\S+) (\S+) (\S+)|moved \d+ (\S+) (\S+) (\d+) ([0-9.]+)|error (.*)|(end))\r?$`)

// readThroughput reads what the guest has printed.
func readThroughput(console string) (Throughput, error) {
	t := Throughput{
		Values: map[string]map[string]string{ours: {}, iscsistart: {}}, Rates: map[string]map[string][]float64{ours: {}, iscsistart: {}},
		Ratios: map[string]Spread{},
	}
	complete := false
	for _, m := range throughputLine.FindAllStringSubmatch(console, -1) {
		switch {
		case m[8] != "":
			return t, fmt.Errorf("%w: %s; its console ends with %q", errBoot, m[8], lastWords(console))
		case m[9] != "":
			complete = true
		case t.Values[m[1]] != nil:
			t.Values[m[1]][m[2]] = m[3]
		case t.Rates[m[4]] != nil:
			bytes, err := strconv.ParseFloat(m[6], 64)
			if err != nil {
				return t, err
			}
			took, err := strconv.ParseFloat(m[7], 64)
			if err != nil || took <= 0 {
				return t, fmt.Errorf("read the console: %q: %w", m[0], errBoot)
			}
			t.Rates[m[4]][m[5]] = append(t.Rates[m[4]][m[5]], bytes/took)
		}
	}
	if !complete {
		return t, fmt.Errorf("%w: its console ends with %q", errBoot, lastWords(console))
	}
	return t, t.compare()
}

// compare divides turn by turn.
func (t Throughput) compare() error {
	for _, kind := range throughputKinds {
		us, them := t.Rates[ours][kind], t.Rates[iscsistart][kind]
		if len(us) == 0 || len(us) != len(them) {
			return fmt.Errorf("throughput: %d turns of ours and %d of iscsistart: %w", len(us), len(them), errBoot)
		}
		ratios := make([]float64, len(us))
		for i := range us {
			ratios[i] = us[i] / them[i]
		}
		t.Ratios[kind] = spread(ratios)
	}
	return nil
}

func (t Throughput) table() string {
	var b strings.Builder
	b.WriteString("\nthroughput of the disk, MB/s; random: 4 KiB reads\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\tours\tiscsistart\tours to iscsistart\n")
	for _, kind := range throughputKinds {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", kind, megabytes(t.Rates[ours][kind]), megabytes(t.Rates[iscsistart][kind]), t.Ratios[kind])
	}
	_ = w.Flush() // into memory
	for _, who := range []string{ours, iscsistart} {
		fmt.Fprintf(&b, "\n%s:", who)
		for _, name := range sortedKeys(t.Values[who]) {
			fmt.Fprintf(&b, " %s=%s", name, t.Values[who][name])
		}
	}
	b.WriteString("\n")
	return b.String()
}

func megabytes(rates []float64) Spread {
	s := spread(rates)
	return Spread{Median: s.Median / 1e6, Min: s.Min / 1e6, Max: s.Max / 1e6}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (t Throughput) writeJSON(path string) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
