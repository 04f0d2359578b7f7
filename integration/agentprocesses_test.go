package integration

import "testing"

// The agent's supervisor and worker are stopped and killed, singly and together, and /run is
// filled: each process restarts the other, root's session still recovers, and status reports the
// state.
func TestAgentSupervisorAndWorker(t *testing.T) {
	f := newFaultRig(t, 96)
	f.m = f.boot(virtio, "", faultLine)
	f.waitAgent()
	status := func(texts ...string) {
		t.Helper()
		f.run("run /run/initramfs/shutdown status")
		for _, text := range texts {
			f.checkShown(f.m, "guest: out: "+text)
		}
	}
	status("agent: running")
	for _, one := range []struct{ signal, says string }{
		{"19 @iscsiroot-agent", "its worker was stopped"},
		{"9 @iscsiroot-agent", "its worker ended"},
		{"9 @iscsiroot", "its supervisor ended"},
		{"19 @iscsiroot", "its supervisor was stopped"},
	} {
		f.typeLine("signal " + one.signal)
		f.expect(f.m, one.says)
		f.waitBoth()
		closeConnections(f.rig, f.target)
		f.waitRecovered()
	}
	f.run("fill /run")
	closeConnections(f.rig, f.target)
	f.waitRecovered()
	status("  old        what follows is as it was ")
	f.run("empty /run")
	closeConnections(f.rig, f.target)
	f.waitRecovered()
	f.run("signal 19 @iscsiroot")
	f.run("signal 9 @iscsiroot-agent")
	status("agent: not running")
	f.run("signal 18 @iscsiroot")
	f.waitBoth()
	f.finish()
}

// waitBoth waits until both processes of the agent run.
func (f *faultRig) waitBoth() {
	f.t.Helper()
	f.typeLine("halves")
	f.expect(f.m, "guest: both halves run")
}
