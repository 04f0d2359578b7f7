package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestHTTP(t *testing.T) {
	ns, _ := testNamespace(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(hostAddress + ":80")
	h, err := ns.StartHTTP(addr, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ns.StartHTTP(addr, dir); err == nil {
		t.Error("the same port twice: no error")
	}
	for name, want := range map[string]int{"file": 200, "other": 404} {
		status, body := get(t, ns, addr, name)
		if status != want || want == 200 && body != "content" {
			t.Errorf("%s: %d %q", name, status, body)
		}
	}
	if log := h.Log(); log != "GET /file 200\nGET /other 404\n" && log != "GET /other 404\nGET /file 200\n" {
		t.Errorf("log %q", log)
	}
	if err := ns.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if _, err := ns.StartHTTP(addr, dir); !errors.Is(err, ErrClosed) {
		t.Errorf("in a closed namespace: %v", err)
	}
}

// get requests a file over a connection made inside the namespace.
func get(t *testing.T, ns *Namespace, addr netip.AddrPort, name string) (status int, body string) {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = ns.Do(func() (err error) {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr.String() + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
