package dns

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// The servers are queried in rotation, two queries each, with a short deadline.
func TestRoundRobin(t *testing.T) {
	t.Parallel() // it waits
	servers := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	robin := &roundRobin{servers: func() []netip.Addr { return servers }}
	var queried []string
	for range 5 {
		conn, err := robin.dial(t.Context(), "udp", "192.0.2.1:53")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		queried = append(queried, conn.RemoteAddr().String())
		if _, ok := conn.(net.PacketConn); !ok {
			t.Error("package net would take it for a stream")
		}
		if err := conn.SetDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"127.0.0.1:53", "127.0.0.1:53", "127.0.0.2:53", "127.0.0.2:53", "127.0.0.1:53"} {
		if queried[i] != want {
			t.Errorf("question %d went to %s, want %s", i, queried[i], want)
		}
	}
	conn, err := robin.dial(t.Context(), "udp", "")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := conn.SetDeadline(began.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) > nameServerTimeout+time.Second {
		t.Errorf("read: %v after %v", err, time.Since(began))
	}
	servers = nil
	conn, err = robin.dial(t.Context(), "udp", "127.0.0.3:53")
	if err != nil || conn.RemoteAddr().String() != "127.0.0.3:53" {
		t.Errorf("without servers those of the image count: %v", err)
	}
}
