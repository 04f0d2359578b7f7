package bootspec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

const iqn = "iqn.2007-01.com.example:server.remote1"

// The forms that RFC 4173, iPXE's manual and dracut's show.
func TestParseRootPath(t *testing.T) {
	tests := []struct{ text, want string }{
		{"iscsi:192.0.2.1::::" + iqn, "192.0.2.1 port 3260 lun 0 " + iqn},
		{"iscsi:192.0.2.1:6:3260:0:" + iqn, "192.0.2.1 port 3260 lun 0 " + iqn},
		{"iscsi:192.0.2.1:6:860:1:" + iqn, "192.0.2.1 port 860 lun 1 " + iqn},
		{"iscsi:192.0.2.1::0:1:" + iqn, "192.0.2.1 port 3260 lun 1 " + iqn},
		{"ISCSI:192.0.2.1:::10:" + iqn, "192.0.2.1 port 3260 lun 16 " + iqn},
		{"iscsi:192.0.2.1:::0010-0000-0000-0000:" + iqn, "192.0.2.1 port 3260 lun 16 " + iqn},
		{"iscsi:192.0.2.1:::4752-3A4F-6b7e-2F99:" + iqn, "192.0.2.1 port 3260 lun 4752-3a4f-6b7e-2f99 " + iqn},
		{"iscsi:192.0.2.1:::1-2:" + iqn, "192.0.2.1 port 3260 lun 0001-0002-0000-0000 " + iqn},
		{"iscsi:192.0.2.1:::100:" + iqn, "192.0.2.1 port 3260 lun 256 " + iqn},
		{"iscsi:10.77.0.1:tcp:3260:1:" + iqn, "10.77.0.1 port 3260 lun 1 " + iqn},
		{"iscsi:10.77.0.1:TCP:::" + iqn, "10.77.0.1 port 3260 lun 0 " + iqn},
		{"iscsi:[2001:db8::1]::::" + iqn, "2001:db8::1 port 3260 lun 0 " + iqn},
		{"iscsi:[fe80::1%eth0]:6:3261::" + iqn, "fe80::1%eth0 port 3261 lun 0 " + iqn},
		{"iscsi:storage.example.com::::" + iqn, "storage.example.com port 3260 lun 0 " + iqn},
		{"iscsi:san_1::::eui.02004567A425678D", "san_1 port 3260 lun 0 eui.02004567A425678D"},
		{"iscsi:storage.example.com.::::naa.52004567BA64678D", "storage.example.com. port 3260 lun 0 naa.52004567BA64678D"},
		{"iscsi:::::" + iqn, " port 3260 lun 0 " + iqn},
		{"iscsi:192.0.2.1::::iqn.2007-01.com.example:a:b:c", "192.0.2.1 port 3260 lun 0 iqn.2007-01.com.example:a:b:c"},
	}
	for _, tt := range tests {
		r, err := bootspec.ParseRootPath(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got := fmt.Sprintf("%s port %d lun %s %s", r.Host, r.Port, r.LUN, r.Name)
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
		if none := strings.HasSuffix(tt.text, "::"+r.Name); r.HasLUN == none {
			t.Errorf("%s: has a LUN: %v", tt.text, r.HasLUN)
		}
		if isAddr := strings.ContainsAny(r.Host, ":%") || strings.HasPrefix(r.Host, "192.") || strings.HasPrefix(r.Host, "10."); r.Addr.IsValid() != isAddr {
			t.Errorf("%s: address %v", tt.text, r.Addr)
		}
		if again, err := bootspec.ParseRootPath(r.String()); err != nil || again != r && again.Addr != r.Addr {
			t.Errorf("%s: again %v %v", r, again, err)
		}
	}
}

func TestBadRootPath(t *testing.T) {
	long := strings.Repeat("x", 224)
	tests := []struct {
		text   string
		offset int
		want   string
	}{
		{"", 0, "does not begin with iscsi:"},
		{"nfs:10.1.1.1:/srv", 0, "does not begin with iscsi:"},
		{"iscsi", 0, "does not begin with iscsi:"},
		{"iscsi:", 6, "ends before the colon after the host"},
		{"iscsi:10.1.1.1:6", 16, "after the protocol"},
		{"iscsi:10.1.1.1:6:3260", 21, "after the port"},
		{"iscsi:10.1.1.1:6:3260:0", 23, "after the LUN"},
		{"iscsi:10.1.1.1:6:3260:0:", 24, "name is empty"},
		{"iscsi:10.1.1.1:17:3260:0:" + iqn, 15, "the protocol is not TCP"},
		{"iscsi:10.1.1.1:6:65536:0:" + iqn, 17, "not a number from 0 to 65535"},
		{"iscsi:10.1.1.1:6:3260:0x1:" + iqn, 22, "hex digits"},
		{"iscsi:10.1.1.1:6:3260:1-2-3-4-5:" + iqn, 22, "hex digits"},
		{"iscsi:10.1.1.1:6:3260:10000:" + iqn, 22, "hex digits"},
		{"iscsi:10.1.1.300::::" + iqn, 6, "neither an address nor a host name"},
		{"iscsi:san..example::::" + iqn, 10, "neither an address nor a host name"},
		{"iscsi:-san::::" + iqn, 6, "neither an address nor a host name"},
		{"iscsi:s/n::::" + iqn, 7, "neither an address nor a host name"},
		{"iscsi:" + long[:64] + "::::" + iqn, 69, "neither an address nor a host name"},
		{"iscsi:2001:db8::1::::" + iqn, 6, "write IPv6 in brackets"},
		{"iscsi:[2001:db8::1::::" + iqn, 6, "no ]: ends"},
		{"iscsi:[10.1.1.1]::::" + iqn, 7, "not an IPv6 address"},
		{"iscsi:[::ffff:10.1.1.1]::::" + iqn, 6, "not a portal address"},
		{"iscsi:0.0.0.0::::" + iqn, 6, "not a portal address"},
		{"iscsi:224.0.0.1::::" + iqn, 6, "not a portal address"},
		{"iscsi:user:hunter2@10.1.1.1::::" + iqn, 11, "the protocol is not TCP"},
		{"iscsi:hunter2@10.1.1.1::::" + iqn, 13, "cannot contain a user"},
		{"iscsi:10.1.1.1::::target1", 18, "does not begin with iqn."},
		{"iscsi:10.1.1.1::::iqn." + long, 18 + 223, "more than 223"},
		{"iscsi:10.1.1.1::::iqn.2007-01.com.example:a\x00b", 43, "control character"},
		{"iscsi:10.1.1.1::::iqn.a b", 23, "a blank"},
		{"iscsi:10.1.1.1::::iqn.\xff", 22, "not UTF-8"},
		{"iscsi:" + strings.Repeat("a.", 400), 512, "806 bytes, limit 512"},
	}
	for _, tt := range tests {
		_, err := bootspec.ParseRootPath(tt.text)
		var e *bootspec.RootPathError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error is %v, want %q", tt.text, err, tt.want)
			continue
		}
		if e.Offset != tt.offset {
			t.Errorf("%q: offset %d, want %d", tt.text, e.Offset, tt.offset)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %v", err)
		}
	}
}

// The law: what was read is written so that it is read the same.
func FuzzParseRootPath(f *testing.F) {
	f.Add("iscsi:192.0.2.1:6:3260:4752-3A4F-6b7e-2F99:" + iqn)
	f.Add("iscsi:[fe80::1%eth0]::::" + iqn)
	f.Add("iscsi:storage.example.com:::100:" + iqn)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := bootspec.ParseRootPath(s)
		var e *bootspec.RootPathError
		if err != nil {
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(s) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := bootspec.ParseRootPath(r.String())
		if err != nil || again != r {
			t.Fatalf("%q: %v becomes %v, error %v", s, r, again, err)
		}
	})
}
