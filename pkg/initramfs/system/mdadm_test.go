package system

import (
	"slices"
	"strings"
	"testing"
)

// conf is a file as Debian's mkconf writes it, with lines of mdadm.conf(5).
const conf = `# mdadm.conf
HOMEHOST <system>
MAILADDR root
ARRAY /dev/md/0  metadata=1.2 UUID=3aaa0122:29827cfa:5331AD66:ca767371 name=host:0
ARRAY home level=raid6 num-devices=4
	UUID=00000000:00000000:00000000:00000001 # continued
arr <none> uuid=2
ARRAY <ignore> UUID=3
ARRAYS /dev/md9
ar /dev/md8
`

func TestParseArrays(t *testing.T) {
	got, err := ParseArrays(conf)
	want := []Array{
		{"/dev/md/0", "3aaa012229827cfa5331ad66ca767371", ""},
		{"/dev/md/home", "00000000000000000000000000000001", "raid456"},
		{"", "2", ""},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for level, module := range map[string]string{"raid0": "raid0", "1": "raid1", "mirror": "raid1", "stripe": "raid0", "5": "raid456", "RAID10": "raid10", "linear": "linear", "x": ""} {
		if got, err := ParseArrays("ARRAY /dev/md0 level=" + level); err != nil || len(got) != 1 || got[0].Module != module {
			t.Errorf("level %s: %+v, %v", level, got, err)
		}
	}
	if _, err := ParseArrays(strings.Repeat("#\n", maxLines+1)); err == nil {
		t.Error("a file without end is read")
	}
}

// FuzzArrays: what is read has the form that it is compared in.
func FuzzArrays(f *testing.F) {
	f.Add(conf)
	f.Fuzz(func(t *testing.T, text string) {
		arrays, err := ParseArrays(text)
		if err != nil {
			return
		}
		for _, a := range arrays {
			if a.UUID != hexDigits(a.UUID) || a.Device != "" && a.Device[0] != '/' || strings.ContainsAny(a.Device, " \t\n") {
				t.Errorf("%q is read as %+v", text, a)
			}
		}
	})
}
