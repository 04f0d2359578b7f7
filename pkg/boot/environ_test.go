package boot

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// The kernel passes words that it does not recognize to init; parameters of iscsiroot are removed,
// and words behind "--" are passed on whatever they are.
func TestInitArgs(t *testing.T) {
	tests := []struct {
		name, line string
		args, want []string
	}{
		{"none", "quiet", nil, nil},
		{"a run level", "root=/dev/sda2 single", []string{"single"}, []string{"single"}},
		{"parameters", "iscsi_debug single rd.iscsiroot.x 5", []string{"iscsi_debug", "single", "rd.iscsiroot.x", "5"}, []string{"single", "5"}},
		{"with values", "a", []string{"iscsi_t=x", "rd.break=login", "emergency"}, []string{"emergency"}},
		{"behind the dashes", "single iscsi_x -- ro iscsi_t=x", []string{"single", "iscsi_x", "ro", "iscsi_t=x"}, []string{"single", "ro", "iscsi_t=x"}},
		{"only behind the dashes", "-- -b iscsi_t", []string{"-b", "iscsi_t"}, []string{"-b", "iscsi_t"}},
		{"an empty word", `""`, []string{""}, []string{""}},
		{"the kernel gave fewer", "-- a b c", []string{"c"}, []string{"c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, initArgs(tt.args, cmdline.Parse(tt.line))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// No parameter of iscsiroot is in the real init's environment.
func TestInitEnv(t *testing.T) {
	env := []string{
		"HOME=/", "TERM=linux", "iscsi_i=iqn.2007-01.com.example:a", "BOOT_IMAGE=vmlinuz", "iscsi_t=x=y",
		"iscsi_password=secret", "iscsi_future=1", "BOOTIF=01-52-54-00-aa-bb-01", "ISCSI=1", "=odd",
	}
	want := []string{"HOME=/", "TERM=linux", "BOOT_IMAGE=vmlinuz", "ISCSI=1", "=odd"}
	if diff := cmp.Diff(want, initEnv(env)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
