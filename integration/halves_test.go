package integration

import "testing"

// The agent's supervisor and worker are stopped, killed, and both at once, and /run is filled: each starts the other one again, root's session
// with it, and status tells what is so.
func TestAgentsHalves(t *testing.T) {
	f := newFaultRig(t, 96)
	f.m = f.boot(virtio, "", faultLine)
	f.watched()
	status := func(texts ...string) {
		t.Helper()
		f.do("run /run/initramfs/shutdown status")
		for _, text := range texts {
			f.shows(f.m, "guest: out: "+text)
		}
	}
	status("agent: running")
	for _, one := range []struct{ signal, says string }{
		{"19 @iscsiroot-agent", "its worker was stopped"},
		{"9 @iscsiroot-agent", "its worker ended"},
		{"9 @iscsiroot", "its supervisor ended"},
		{"19 @iscsiroot", "its supervisor was stopped"},
	} {
		f.typed("signal " + one.signal)
		f.expect(f.m, one.says)
		f.both()
		closeConnections(f.rig, f.target)
		f.recovered()
	}
	f.do("fill /run")
	closeConnections(f.rig, f.target)
	f.recovered()
	status("  old        what follows is as it was ")
	f.do("empty /run")
	closeConnections(f.rig, f.target)
	f.recovered()
	f.do("signal 19 @iscsiroot")
	f.do("signal 9 @iscsiroot-agent")
	status("agent: not running")
	f.do("signal 18 @iscsiroot")
	f.both()
	f.finish()
}

// both waits until the agent has both halves.
func (f *faultRig) both() {
	f.t.Helper()
	f.typed("halves")
	f.expect(f.m, "guest: both halves run")
}
