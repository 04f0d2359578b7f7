package netboot

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// roomWith is seed with other secrets for its second machine.
func roomWith(t *testing.T, line string) *Room {
	t.Helper()
	r, err := parse("hosts.yaml", []byte(seed), func(string) ([]byte, error) { return []byte(line + "\n"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const secretTarget = "iqn.2007-01.com.example:storage.remote2"

// A dry run shows no secret that is there already, though all may read the file and its machine has
// none any more.
func TestOldSecretsAreNotShown(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, seed)
	open := []string{"tgt.conf", "lio.json", "tftp/ipxe/aa-bb-cc-dd-ee-02-sanhook.ipxe", "tftp/secrets/remote2.img"}
	for _, name := range open {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	byHand := filepath.Join(dir, "tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-fe")
	old, err := os.ReadFile(byHand)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(byHand, []byte(strings.Replace(string(old), "APPEND ", "APPEND iscsi_w=door-door-door ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := room(t, strings.Replace(seed, "    chap: secrets\n", "", 1)).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, c := range changes {
		said += c.Diff()
	}
	if strings.Contains(said, "sesame") || strings.Contains(said, "door-door") {
		t.Errorf("an old secret is shown:\n%s", said)
	}
	for _, name := range append(open[:3], "tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-fe") {
		if !strings.Contains(said, "changed "+name+" (holds a secret, which is not shown)") {
			t.Errorf("%s is not hidden:\n%s", name, said)
		}
	}
	if !strings.Contains(said, "removed tftp/secrets/remote2.img\n") || !strings.Contains(said, "\n-   APPEND initrd=/remote/initrd.img,/secrets/remote2.img ") {
		t.Errorf("what holds no secret is not shown:\n%s", said)
	}
}

// What JSON or LIO cannot hold is refused, with the machine and the reason.
func TestSecretsOfLIO(t *testing.T) {
	for line, want := range map[string]string{
		secretTarget + " u 0xfffefdfcfbfaf9f8f7f6f5f4":                                      "host remote2: the machine's secret is not UTF-8, so that lio.json, which is JSON, cannot hold it",
		secretTarget + " u twelve-bytes-12 t 0bgIGCg4SFhoeIiYqL":                            "host remote2: the target's secret is not UTF-8",
		secretTarget + " u 0x7477656c766500627974657320":                                    "host remote2: the machine's secret has a control character",
		secretTarget + " u 0x7477656c76652d62797465732d3132 \"\" correct-horse-battery-stä": "",
	} {
		_, err := roomWith(t, line).Files("out")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// A short secret is refused for a new host, and warned of for one that has its files.
func TestShortSecretsOfHosts(t *testing.T) {
	dir := t.TempDir()
	r := roomWith(t, secretTarget+" u elevenbytes")
	const text = "host remote2: chap: this machine's secret has 11 bytes, RFC 7143 9.2.1 demands 12"
	if w, err := r.ShortSecrets(dir); len(w) != 0 || err == nil || err.Error() != text+": write a longer one here and at the target" {
		t.Errorf("a new host: %q, %v", w, err)
	}
	run(t, dir, seed)
	if w, err := r.ShortSecrets(dir); len(w) != 1 || w[0] != text || err != nil {
		t.Errorf("a host that is there: %q, %v", w, err)
	}
	if w, err := roomWith(t, secretTarget+" u twelve-bytes").ShortSecrets(t.TempDir()); len(w) != 0 || err != nil {
		t.Errorf("12 bytes: %q, %v", w, err)
	}
}

// give writes files for a TFTP server of a user.
func give(t *testing.T, dir, name string, files []File) (msg string, err error) {
	t.Helper()
	owner, msg, err := TFTPOwner(dir, name, files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Update(t.Context(), dir, files, Options{Owner: owner, Waiting: func() {}})
	return msg, err
}

// The directory of secrets is its owner's alone, and a user that is not there is named.
func TestGiveSecrets(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, seed)
	files, err := room(t, seed).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "tftp/secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	msg, err := give(t, dir, "no-such-user-here", files)
	want := "belongs to root, because there is no user no-such-user-here: name the TFTP server's user in --tftp-user"
	if os.Geteuid() != 0 {
		want = "because only root can give it to no-such-user-here"
	}
	if err != nil || !strings.Contains(msg, want) {
		t.Errorf("%q, %v, want %s", msg, err, want)
	}
	if st, err := os.Stat(filepath.Join(dir, "tftp/secrets")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if msg, err := give(t, dir, "nobody", files); msg != "" || err != nil {
		t.Fatal(msg, err)
	}
	for _, name := range []string{"tftp/secrets", "tftp/secrets/remote2.img", "tftp/ipxe/aa-bb-cc-dd-ee-02-sanhook.ipxe", "tgt.conf", "tftp/ipxe/aa-bb-cc-dd-ee-02.ipxe"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		given := strings.Contains(name, "secrets") || strings.Contains(name, "sanhook")
		if own, ok := st.Sys().(*syscall.Stat_t); !ok || (own.Uid != 0) != given {
			t.Errorf("%s belongs to %d", name, own.Uid)
		}
	}
	// Without a name, what was given away stays so.
	if err := os.Chown(filepath.Join(dir, "tftp/secrets"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := give(t, dir, "", files); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "tftp/secrets"))
	if err != nil {
		t.Fatal(err)
	}
	if own, ok := st.Sys().(*syscall.Stat_t); !ok || own.Uid != 12345 {
		t.Errorf("the directory belongs to %d", own.Uid)
	}
}

// New secrets are the TFTP server's before they take their places, in a directory of mode 0700.
func TestNewSecretsAreGiven(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("run by another user than root: nothing can be given away, and modes alone are seen")
	}
	dir := t.TempDir()
	files, err := room(t, seed).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	owner, _, err := TFTPOwner(dir, "nobody", files)
	if err != nil {
		t.Fatal(err)
	}
	if err := apply(t.Context(), openDisk(t, dir), changes, owner); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{
		"tftp/secrets":                             os.ModeDir | 0o700,
		"tftp/secrets/remote2.img":                 0o600,
		"tftp/ipxe/aa-bb-cc-dd-ee-02-sanhook.ipxe": 0o600,
	} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode() != mode {
			t.Fatal(st, err)
		}
		own, ok := st.Sys().(*syscall.Stat_t)
		if given := ok && int(own.Uid) != os.Geteuid(); given != (owner.known && !st.IsDir()) {
			t.Errorf("%s belongs to %d", name, own.Uid)
		}
	}
}
