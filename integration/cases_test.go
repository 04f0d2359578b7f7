package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/integration/failures"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Every failure that iscsiroot-failures(7) lists is produced, and the console shows what happened,
// whether it is retried, and the hint.
func TestFailureCases(t *testing.T) {
	t.Parallel()
	stages := caseStages()
	for _, c := range failures.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			stage := stages[c.Name]
			if stage == nil {
				t.Fatal("no stage produces this case: write one")
			}
			r := newRig(t)
			m := stage(r)
			if !c.Retried {
				r.expect(m, "iscsiroot: step ", " failed after ")
			}
			r.expect(m, pieces(c.Screen)...)
			if c.Retried {
				r.expect(m, "trying again")
			}
			if c.Hint != "" {
				r.expect(m, pieces(c.Hint)...)
			}
			if !c.Retried {
				r.expect(m, "iscsiroot: rebooting in 60 s")
			}
		})
	}
	for name := range stages {
		if !hasCase(name) {
			t.Errorf("stage %s has no case", name)
		}
	}
}

// pieces are the fixed parts of a text.
func pieces(text string) []string {
	var out []string
	for p := range strings.SplitSeq(text, "…") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func hasCase(name string) bool {
	for _, c := range failures.Cases() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// stage starts a machine that fails.
type stage func(*rig) *lab.Machine

const console = "console=ttyS0 "

func caseStages() map[string]stage {
	return map[string]stage{
		"parameter":         bootLine("iscsi_i_ip=10.77.0.2"),
		"missing-parameter": bootLine("quiet"),
		"other-release":     otherRelease,
		"no-driver": func(r *rig) *lab.Machine {
			return r.boot(virtio, "e1000", console+seedLine)
		},
		"wrong-interface": onlyLine("iscsi_if=eth7 " + seedLine),
		"no-link": func(r *rig) *lab.Machine {
			m := r.resumeShell(virtio)
			if err := m.SetLink(r.ctx, 0, false); err != nil {
				r.t.Fatal(err)
			}
			r.continueBoot(m, seedLine)
			return m
		},
		"no-neighbour": func(r *rig) *lab.Machine {
			line := strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.77.0.99", 1)
			m := r.bootWith(virtio, console+"rd.break=network net.ifnames=0 "+line, lab.NIC{Tap: r.addTap("tap1")}, lab.NIC{Tap: r.tap})
			// Both have a link from the start: the only NIC with one would get the
			// address immediately.
			r.expect(m, "break before step network", prompt)
			r.send(m, "modprobe virtio_pci; modprobe virtio_net; ip link set eth0 up; ip link set eth1 up; "+
				"until ip link | grep 'eth0: .*LOWER_UP' && ip link | grep 'eth1: .*LOWER_UP'; do sleep 1; done\n", "eth1: <BROADCAST,MULTICAST,UP,LOWER_UP>", prompt)
			r.send(m, "exit\n", "continuing with step network")
			return m
		},
		"no-dhcp": bootLine("ip=dhcp"),
		"root-path": func(r *rig) *lab.Machine {
			r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-option=option:root-path,nfs:10.77.0.1:/srv/root")
			return r.boot(virtio, "", console+"root=dhcp iscsi_i="+initiator)
		},
		"no-iscsi":           noISCSI,
		"connection-refused": onlyLine(seedLine),
		"no-host":            onlyLine(strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.77.0.99", 1)),
		"no-route":           onlyLine(strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.99.0.1", 1)),
		"target-closes":      scripted(iscsitest.Close()),
		"wrong-target":       scripted(iscsitest.Status(0x0203)),
		"no-response":        scripted(iscsitest.Silence()),
		"wrong-secret":       scripted(iscsitest.Status(0x0201)),
		"not-in-list":        scripted(iscsitest.Status(0x0202)),
		"no-chap":            scripted(iscsitest.Text("AuthMethod=None"), "iscsi_u=a", "iscsi_w=correct-horse-battery"),
		"redirect-loop":      scripted(iscsitest.Status(0x0101, "TargetAddress=10.77.0.1:3260")),
		"incomplete-chap":    bootLine("iscsi_u=a " + seedLine),
		"no-name": func(r *rig) *lab.Machine {
			r.nameServer("storage.example.com", "10.77.0.1")
			return r.resume(virtio, "nameserver=10.77.0.1 "+strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=storage", 1))
		},
		"credentials-mode": func(r *rig) *lab.Machine {
			return r.withFiles(seedLine, images.Tree{"etc/iscsiroot/credentials": images.Text("")})
		},
		"target-busy":   scripted(iscsitest.Status(0x0301)),
		"no-lun":        withRoot("iscsi_lun=5", nil),
		"no-disk":       noDisk,
		"no-root":       withRoot("root=UUID=0123-4567", nil),
		"not-supported": rawDisk("root=/dev/sda", "LUKS\xba\xbe\x00\x02"),
		"no-filesystem": rawDisk("root=/dev/sda", "nothing of interest"),
		"no-fs-driver": func(r *rig) *lab.Machine {
			r.serve(fsImage(r.t, 0, rootDir(r.t, "", nil), "mksquashfs DIR {} -quiet -no-progress"))
			return r.resume(virtio, "root=/dev/sda "+seedLine)
		},
		"no-init-anywhere": withRoot("init=/opt/none", nil),
		"overlay":          withRoot("overlayroot=tmpfs", nil),
		"no-init-here": withRoot("root=/dev/sda2", func(t images.Tree) {
			delete(t, "sbin/init")
		}),
		"wrong-init": withRoot("root=/dev/sda2 init=/opt/none", nil),
		"not-executable": withRoot("root=/dev/sda2", func(t images.Tree) {
			t["sbin/init"] = images.Text("#!/bin/sh\n")
		}),
		"no-interpreter": withRoot("root=/dev/sda2", func(t images.Tree) {
			t["sbin/init"] = images.Script("#!/bin/sh\n")
		}),
		"other-architecture": withRoot("root=/dev/sda2", func(t images.Tree) {
			// The ELF header of a program for RISC-V: #define EM_RISCV 243.
			t["sbin/init"] = images.Script("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xf3\x00" + strings.Repeat("\x00", 44))
		}),
		"no-mount-point": withRoot("root=/dev/sda2", func(t images.Tree) {
			delete(t, "proc")
		}),
		"bad-options": withRoot("root=/dev/sda2 rootflags=nonsense", nil),
		"bug": func(r *rig) *lab.Machine {
			img := virtio
			img.init = built.faulty()
			return r.boot(img, "", console+"rd.iscsiroot.fault=step "+seedLine)
		},
	}
}

// unplug pulls the first NIC's cable while the machine waits in the shell before the step modules,
// and continues the boot.
func (r *rig) unplug(m *lab.Machine) { r.unplugNIC(m, 0) }

func (r *rig) unplugNIC(m *lab.Machine, i int) {
	r.t.Helper()
	r.expect(m, "iscsiroot> ")
	if err := m.SetLink(r.ctx, i, false); err != nil {
		r.t.Fatal(err)
	}
	if err := m.Send("exit\n"); err != nil {
		r.t.Fatal(err)
	}
}

// bootLine boots with a kernel command line that is rejected, or that conflicts with the parameters
// of a resumed machine.
func bootLine(line string) stage {
	return func(r *rig) *lab.Machine { return r.boot(virtio, "", console+line) }
}

// onlyLine resumes a machine with parameters, without a target.
func onlyLine(line string) stage {
	return func(r *rig) *lab.Machine { return r.resume(virtio, line) }
}

// withRoot boots from a root that edit has damaged.
func withRoot(line string, edit func(images.Tree)) stage {
	return func(r *rig) *lab.Machine {
		tree := root("")
		if edit != nil {
			edit(tree)
		}
		r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, Tree: tree})
		r.gotgt()
		return r.resume(virtio, line+" "+seedLine)
	}
}

// rawDisk exports a disk that begins with text.
func rawDisk(line, text string) stage {
	return func(r *rig) *lab.Machine {
		file := filepath.Join(r.t.TempDir(), "disk.img")
		if err := os.WriteFile(file, append([]byte(text), make([]byte, 1<<20-len(text))...), 0o644); err != nil {
			r.t.Fatal(err)
		}
		r.serve(file)
		return r.resume(virtio, line+" "+seedLine)
	}
}

// scripted answers every login with the same step; words are added to the command line.
func scripted(step iscsitest.Step, words ...string) stage {
	return func(r *rig) *lab.Machine {
		var l net.Listener
		err := r.ns.Do(func() (err error) {
			l, err = net.Listen("tcp", "10.77.0.1:3260")
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = iscsitest.Script{step}.Serve(conn) }()
			}
		}()
		return r.resume(virtio, strings.Join(words, " ")+" "+seedLine)
	}
}

// noDisk is a target with nothing but tgtd's controller.
func noDisk(r *rig) *lab.Machine {
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, Tree: root("")})
	target := r.tgtd()
	if out, err := target.Admin(r.ctx, "--op", "delete", "--mode", "logicalunit", "--tid", "1", "--lun", "1"); err != nil {
		r.t.Fatal(out, err)
	}
	return r.resume(virtio, seedLine)
}

// noISCSI is an image without modules.
func noISCSI(r *rig) *lab.Machine {
	return r.bare(images.Tree{"init": images.Copy(built.init())}, seedLine)
}

// otherRelease is an image with the modules of another kernel.
func otherRelease(r *rig) *lab.Machine {
	k, err := virtio.find()
	if err != nil {
		r.t.Fatal(err)
	}
	dep, err := os.ReadFile(filepath.Join(k.ModulesRoot, "lib/modules", k.Release, "modules.dep"))
	if err != nil {
		r.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(dep), "\n")
	path, _, _ := strings.Cut(line, ":")
	return r.bare(images.Tree{
		"init":                               images.Copy(built.init()),
		"lib/modules/0.99.15/modules.dep":    images.Text(path + ":\n"),
		"lib/modules/0.99.15/" + path:        images.Copy(filepath.Join(k.ModulesRoot, "lib/modules", k.Release, path)),
		"lib/modules/0.99.15/modules.alias":  images.Text(""),
		"lib/modules/0.99.15/modules.symbol": images.Text(""),
	}, seedLine)
}
