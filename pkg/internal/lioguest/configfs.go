//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/liospec"
)

// configfs is where configfs is mounted. The layout below target/ is that of
// drivers/target/target_core_configfs.c, target_core_fabric_configfs.c and
// iscsi/iscsi_target_configfs.c.
type configfs string

func (c configfs) dir(path ...string) (configfs, error) {
	d := configfs(filepath.Join(append([]string{string(c)}, path...)...))
	return d, os.MkdirAll(string(d), 0o755)
}

// write writes an attribute.
func (c configfs) write(name, value string) error {
	f, err := os.OpenFile(filepath.Join(string(c), name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("%s=%s: %w", name, value, err)
	}
	return nil
}

// writeAll writes attributes in order: pairs of name and value.
func (c configfs) writeAll(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := c.write(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (c configfs) link(to configfs, path ...string) error {
	return os.Symlink(string(to), filepath.Join(append([]string{string(c)}, path...)...))
}

func configure(root configfs, spec liospec.Spec) error {
	disks := make([]configfs, spec.Disks)
	for i := range disks {
		var err error
		if disks[i], err = makeDisk(root, i); err != nil {
			return fmt.Errorf("disk %d: %w", i, err)
		}
	}
	fabric, err := root.dir("target/iscsi")
	if err != nil {
		return err
	}
	for _, t := range spec.Targets {
		if err := makeTarget(fabric, disks, t); err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
	}
	if err := discoveryAuth(fabric, spec.Discovery); err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	return nil
}

// makeDisk makes a storage object of the i-th virtio disk.
func makeDisk(root configfs, i int) (configfs, error) {
	device := "/dev/vd" + string(rune('a'+i))
	if err := waitDisk(device); err != nil {
		return "", err
	}
	d, err := root.dir("target/core", "iblock_"+strconv.Itoa(i), "disk")
	if err != nil {
		return "", err
	}
	return d, d.writeAll("control", "udev_path="+device, "enable", "1", "wwn/vpd_unit_serial", fmt.Sprintf("15c51007-%04d", i))
}

func makeTarget(fabric configfs, disks []configfs, t liospec.Target) error {
	tpg, err := fabric.dir(t.Name, "tpgt_"+strconv.Itoa(t.Group))
	if err != nil {
		return err
	}
	for lun, disk := range t.LUNs {
		l, err := tpg.dir("lun", "lun_"+strconv.Itoa(lun))
		if err != nil {
			return err
		}
		if err := l.link(disks[disk], "disk"); err != nil {
			return err
		}
		if !t.Access {
			continue
		}
		if err := addAccess(disks[disk], l, t.Group); err != nil {
			return fmt.Errorf("access of lun %d: %w", lun, err)
		}
	}
	if err := tpg.writeAll(t.Keys...); err != nil {
		return err
	}
	for _, name := range t.Initiators {
		if err := allow(tpg, name, t); err != nil {
			return fmt.Errorf("initiator %s: %w", name, err)
		}
	}
	for _, p := range t.Portals {
		if err := addPortal(tpg, p); err != nil {
			return err
		}
	}
	return tpg.write("enable", "1")
}

// addAccess gives a LUN of a portal group an access state of its own (target port group, SPC-4
// 5.15.2), whose number is that of the portal group.
func addAccess(disk, lun configfs, number int) error {
	name := accessGroup(strconv.Itoa(number))
	group, err := disk.dir("alua", name)
	if err != nil {
		return err
	}
	if err := group.write("tg_pt_gp_id", strconv.Itoa(number)); err != nil && !errors.Is(err, unix.EINVAL) { // another target has given it
		return err
	}
	return lun.write("alua_tg_pt_gp", name)
}

func accessGroup(number string) string { return "group" + number }

func addPortal(tpg configfs, p netip.AddrPort) error {
	_, err := tpg.dir("np", p.String())
	return err
}

// allow adds an initiator to the access list, with all LUNs and its credentials.
func allow(tpg configfs, name string, t liospec.Target) error {
	acl, err := tpg.dir("acls", name)
	if err != nil {
		return err
	}
	for lun := range t.LUNs {
		n := "lun_" + strconv.Itoa(lun)
		mapped, err := acl.dir(n)
		if err != nil {
			return err
		}
		target, err := tpg.dir("lun", n)
		if err != nil {
			return err
		}
		if err := mapped.link(target, "lun"); err != nil {
			return err
		}
	}
	return credentials(acl+"/auth", t.Login)
}

func credentials(auth configfs, c liospec.CHAP) error {
	if c.User != "" {
		if err := auth.writeAll("userid", c.User, "password", c.Secret); err != nil {
			return err
		}
	}
	if c.MutualUser != "" {
		return auth.writeAll("userid_mutual", c.MutualUser, "password_mutual", c.MutualSecret)
	}
	return nil
}

func discoveryAuth(fabric configfs, c liospec.CHAP) error {
	if c.User == "" {
		return nil
	}
	auth := fabric + "/discovery_auth"
	if err := credentials(auth, c); err != nil {
		return err
	}
	return auth.write("enforce_discovery_auth", "1")
}
