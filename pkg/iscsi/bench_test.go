package iscsi_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// BenchmarkLogins lets many initiators log in at once over TCP on loopback, each with a connection
// and a session of its own, with and without mutual CHAP.
func BenchmarkLogins(b *testing.B) {
	for _, chap := range []bool{false, true} {
		for _, n := range []int{1, 10, 100, 1000} {
			name := fmt.Sprintf("initiators=%d", n)
			if chap {
				name = "CHAP/" + name
			}
			b.Run(name, func(b *testing.B) { benchmarkLogins(b, n, chap) })
		}
	}
}

func benchmarkLogins(b *testing.B, n int, chap bool) {
	tg := &iscsitest.Target{Name: config().TargetName}
	if chap {
		tg.Auth = &iscsitest.Auth{User: user, Secret: secret, TargetUser: targetUser, TargetSecret: targetSecret}
	}
	srv, err := iscsitest.Listen(tg.Serve)
	if err != nil {
		b.Fatal(err)
	}
	var slowest time.Duration
	failures := 0
	for b.Loop() {
		s, f := storm(b, srv.Addr().String(), n, chap)
		slowest, failures = max(slowest, s), failures+f
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "logins/s")
	b.ReportMetric(float64(failures), "failures")
	b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
	_ = srv.Close() // it counts the connections that the test closes
	if got := tg.Logins() + failures; got < n*b.N {
		b.Errorf("%d logins and failures, want %d", got, n*b.N)
	}
}

// storm logs n initiators in at once and closes their connections when all are.
func storm(b *testing.B, addr string, n int, chap bool) (slowest time.Duration, failures int) {
	var tasks sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	start := make(chan struct{})
	for i := range n {
		tasks.Go(func() {
			<-start
			begin := time.Now()
			conn, err := enter(b.Context(), addr, i, chap)
			took := time.Since(begin)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures++
				b.Logf("initiator %d: %v", i, err)
				return
			}
			conns = append(conns, conn)
			slowest = max(slowest, took)
		})
	}
	close(start)
	tasks.Wait()
	for _, c := range conns {
		_ = c.Close()
	}
	return slowest, failures
}

// enter connects and logs in as initiator number i.
func enter(ctx context.Context, addr string, i int, chap bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	cfg := config()
	cfg.InitiatorName = fmt.Sprintf("%s%d", cfg.InitiatorName, i)
	if chap {
		cfg.CHAP = mutual()
	}
	if _, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), cfg); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
