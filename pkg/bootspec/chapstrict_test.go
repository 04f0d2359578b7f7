package bootspec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// chapLine boots, with one secret on it.
const chapLine = "iscsi_i=iqn.x:m iscsi_i_ip=10.1.1.2/24 iscsi_a=10.1.1.1 iscsi_t=iqn.x:t iscsi_u=u iscsi_w="

// A secret of 11 bytes is refused under iscsi_chap_strict, and named in a preview without it; one
// of 12 bytes is neither.
func TestStrictCHAP(t *testing.T) {
	const short, long = "elevenbytes", "twelve-bytes"
	for _, tt := range []struct {
		text, credentials, refused, warned string
	}{
		{chapLine + short, "", "", "this machine's CHAP secret in iscsi_w= has 11 bytes, RFC 7143 9.2.1 demands 12"},
		{chapLine + long, "", "", ""},
		{chapLine + short + " iscsi_chap_strict", "", "target iqn.x:t: CHAP: the initiator's secret has 11 bytes, less than 12 can be guessed (RFC 7143 9.2.1): iscsi_chap_strict refuses it", ""},
		{chapLine + short + " rd.iscsiroot.chap_strict=1", "", "rd.iscsiroot.chap_strict= refuses it", ""},
		{chapLine + short + " iscsi_chap_strict=0", "", "", "has 11 bytes"},
		{chapLine + long + " iscsi_chap_strict", "", "", ""},
		{chapLine + long + " iscsi_W=" + short + " iscsi_chap_strict", "", "the target's secret has 11 bytes", ""},
		{"iscsi_chap_strict " + strings.Split(chapLine, " iscsi_u")[0], "iqn.x:t u " + short, "the initiator's secret has 11 bytes", ""},
		{strings.Split(chapLine, " iscsi_u")[0], "iqn.x:t u " + long + " tu " + short, "", "the target's CHAP secret in " + bootspec.CredentialsPath + " line 1 has 11 bytes"},
	} {
		plan, err := parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Credentials, err = bootspec.ParseCredentials([]byte(tt.credentials)); err != nil {
			t.Fatal(err)
		}
		_, warnings, previewed := plan.Preview(plan.Net.Facts())
		_, _, resolved := plan.Resolve(plan.Net.Facts())
		for _, err := range []error{previewed, resolved} {
			if got := fmt.Sprint(err); (err != nil) != (tt.refused != "") || !strings.Contains(got, tt.refused) || strings.Contains(got, short) {
				t.Errorf("%s: %v, want %s", tt.text, err, tt.refused)
			}
		}
		warned := slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, tt.warned) })
		if tt.warned == "" && len(warnings) > 0 || tt.warned != "" && !warned {
			t.Errorf("%s: warnings %q, want %q", tt.text, warnings, tt.warned)
		}
	}
}
