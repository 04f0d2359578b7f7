package netboot

import (
	"strings"
	"testing"
)

// A secret in a field of the description, however it is written there, is an error that does not
// show it.
func TestMistakesWithoutSecrets(t *testing.T) {
	const marker = "xyzzy"
	for _, field := range []string{"root", "append", "target", "initiator", "portals", "interface", "gateway", "lun", "mac", "address", "disk", "kernel", "name"} {
		for _, value := range []string{
			"iscsi_w=" + marker, "'iscsi_w=\"" + marker + " x\"'", "ISCSI_W:" + marker, "rd.iscsi.pasword-" + marker + "=1", "netroot=iscsi:U:" + marker,
			"root=netroot=iscsi:U:" + marker + "@10.1.1.1::::iqn.x:t", "iscsi:U:" + marker, "x=iscsi_password=" + marker,
		} {
			if strings.Contains(value, "iscsi:U") && (field == "target" || field == "initiator") || strings.Contains(value, "pasword-") && field != "append" {
				continue // a name of any form, as far as can be seen
			}
			host := map[string]string{"name": "remote3", "mac": "aa:bb:cc:dd:ee:03", "address": "10.1.1.167/26"}
			host[field] = value
			text := seed + "  - name: " + host["name"] + "\n"
			for key, value := range host {
				if key != "name" {
					text += "    " + key + ": " + value + "\n"
				}
			}
			if _, err := parse("hosts.yaml", []byte(text), secrets); err == nil || strings.Contains(err.Error(), marker) {
				t.Errorf("%s: %s: %v", field, value, err)
			}
		}
	}
}
