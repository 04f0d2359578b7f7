package bootspec_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// others returns the words of the manuals of other programs, as scripts/words.sh makes the lists.
func others(t testing.TB) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	for name, least := range map[string]int{"kernel": 900, "systemd": 150, "dracut": 120, "initramfs-tools": 20} {
		text, err := os.ReadFile("testdata/words-" + name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for word := range strings.Lines(string(text)) {
			if word[0] != '#' {
				words[strings.TrimSpace(word)] = true
				n++
			}
		}
		if n < least {
			t.Errorf("%s has %d words", name, n)
		}
	}
	return words
}

// No word of another program is reported as a mistyped parameter, and neither is a parameter of a
// module.
func TestWordsOfOthers(t *testing.T) {
	words := others(t)
	for _, module := range []string{"drm", "sd", "sd_mod", "rbd", "brd", "md", "md_mod", "net", "iscsi_tcp", "libiscsi", "iscsi", "r8169", "ib_isert"} {
		for name := range everyName() {
			_, last, ok := strings.Cut(name, ".")
			if ok && module != "iscsi" && !strings.HasPrefix(last, "iscsi") && module+"."+last != name {
				words[module+"."+last] = true
			}
		}
	}
	for word := range words {
		for _, text := range []string{word, word + "=1"} {
			plan, _ := bootspec.Parse(cmdline.Parse(text))
			for _, w := range plan.Warnings {
				if strings.Contains(w, "is not understood") {
					t.Errorf("%s: %s", text, w)
				}
			}
		}
	}
}

// everyName returns all names of parameters.
func everyName() map[string]bool {
	names := map[string]bool{}
	for _, row := range bootspec.Table() {
		for _, name := range row.Names() {
			names[name] = true
		}
	}
	return names
}

// Of every name of six letters and more, at each place in turn a letter that is missing, doubled,
// wrong or exchanged with the next one is reported with the word, unless it makes a name, or
// another program's word.
func TestMistypedNames(t *testing.T) {
	names, others := everyName(), others(t)
	for _, row := range bootspec.Table() {
		if row.Key == "doscsi" {
			for _, name := range row.Names() {
				delete(names, name) // words of others that do nothing
			}
		}
	}
	for name := range names {
		if len(name) < 6 {
			continue
		}
		for i := strings.IndexByte(name, '.') + 1; i < len(name)-1; i++ {
			wrong := []string{name[:i] + name[i+1:], name[:i+1] + name[i:], name[:i] + "z" + name[i+1:], name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:]}[i%4]
			if names[wrong] || others[wrong] {
				continue
			}
			plan, _ := bootspec.Parse(cmdline.Line{Params: []cmdline.Param{{Key: wrong, Value: "sesame", HasValue: true}}})
			if messages := strings.Join(plan.Warnings, "\n"); !strings.Contains(messages, wrong) || strings.Contains(messages, "sesame") {
				t.Errorf("%s for %s: warning is %q", wrong, name, messages)
			}
		}
	}
}

// dialects are the words of other initramfs, as their programs read them: genkernel's linuxrc, SUSE
// mkinitrd's boot-iscsi.sh, Debian's local-top/iscsi, overlayroot and live-boot(7), mkinitcpio(8)
// and its hooks, dracut's old names.
const dialects = `real_root root subdir real_init init init_opts cdroot cdroot_type cdroot_marker loop looptype isoboot dolvm domdadm dodmraid domultipath dozfs dobcache quiet_genkernel
	scandelay firstmods doload noload lvmraid part partitionable nfsroot iscsi_initiatorname iscsi_target iscsi_tgpt iscsi_address iscsi_port iscsi_username iscsi_password
	iscsi_username_in iscsi_password_in iscsi_debug iscsi_noibft doscsi crypt_root crypt_root_options crypt_swap crypt_swap_options root_header root_headerdev root_headerdev_fstype root_key root_keydev
	root_keydev_fstype root_trim swap_header swap_headerdev swap_headerdev_fstype swap_key swap_keydev swap_keydev_fstype keyctl_keydesc keyctl_keytimeout keyctl_keykeep real_resume
	crypt_silent dosshd gk.bootfont.disabled gk.emergency gk.hw.load-all gk.hw.use-modules_load gk.log.disabled gk.sshd.port gk.sshd.wait gk.udev.debug gk.udev.timeout
	gk.userinteraction.disabled gk.preserverun.disabled gk.prompt.timeout real_rootflags aufs aufs.modules overlayfs overlayfs.modules unionfs nounionfs verify nodetect dokeymap
	TargetAddress TargetName TargetPort InitiatorName iSCSI_ignoreNodes linuxrc
	ISCSI_AUTO ISCSI_INITIATOR ISCSI_TARGET_NAME ISCSI_TARGET_IP ISCSI_TARGET_PORT ISCSI_TARGET_GROUP ISCSI_USERNAME ISCSI_PASSWORD ISCSI_IN_USERNAME ISCSI_IN_PASSWORD
	overlayroot overlayroot_cfgdisk fsprotect cryptopts iscsi fetch httpfs findiso fromiso bootfrom live-media live-media-path toram todisk persistence persistence-label union netboot nfsopts
	break blacklist cryptdevice cryptkey crypto lvmwait md disablehooks earlymodules
	rdshell rdbreak rdinfo rddebug rdinitdebug rdblacklist rdloaddriver rd_LVM_VG rd_LVM_LV rd_LUKS_UUID rd_MD_UUID rd_DM_UUID rd.overlay rd.overlay.reset rd.live.image rd.live.overlay.overlayfs rootovl
	ostree rootdev rootfs iscsi_t_ip
	rd_NO_LVM rd_NO_MD rd_NO_LUKS rd_NO_DM live_dir live_ram reset_overlay readonly_overlay rd.caps rd.caps.initdrop rd.convertfs rd.dcssblk rd.lunmask rd.nofcoe rd.nvmf.nonbft rd.nvmf.nostatic nvmf.hostnqn
	usr usrfstype usrflags verity.usr verity.usrhash coreos.first_boot flatcar.first_boot flatcar.randomize_disk_guid coreos.no_persist_ip coreos.inst.install_dev coreos.live.rootfs_url ignition.platform.id
	rd.kiwi.install.pxe rd.kiwi.oem.installdevice rd.kiwi.live.pxe kiwi_lvm stratis.rootfs.pool_uuids rd.zdev rpool bootfs.snapshot zfsforce zfs_debug spl_hostid rd.systemd.pull rd.systemd.mount-extra rd.systemd.break
	alpine_dev alpine_repo apkovl modloop ovl_dev cryptheader cryptoffset cryptdiscards init_args debug_init modules ssh_key aoe aoe_iflist aoe_mtu nbd zfcp dasd s390x_net
	rd.modules_force_load booster.debug rd.net.dns rd.net.dns-resolve-mode rd.net.dhcp.vendor-class rd.net.dhcp.dscp rd.net.dhcp.client-id rd.ethtool ib.pkey ip6 layerfs-path stateless`

// allWords are the words of every dialect that there is.
func allWords(others map[string]bool) []string {
	words := strings.Fields(dialects)
	for name := range everyName() {
		words = append(words, name)
	}
	for _, list := range bootspec.Kinds() {
		for word := range strings.FieldsSeq(list) {
			word, _, _ = strings.Cut(word, "=")
			words = append(words, strings.Replace(word, "*", "x", 1))
		}
	}
	for word := range others {
		words = append(words, word)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Each word is accepted, refused, reported or another program's. One that is accepted changes the
// plan, unless it has no effect according to the manual; one that is refused or reported is named.
func TestEveryWord(t *testing.T) {
	others := others(t)
	for _, word := range allWords(others) {
		for _, value := range []string{"1", "0"} {
			checkWord(t, cmdline.Param{Key: word, Value: value, HasValue: true}, others)
		}
	}
}

// FuzzWords does the same with random values. It has few seeds: before it begins, the fuzzer runs
// each of them.
func FuzzWords(f *testing.F) {
	others := others(f)
	words := allWords(others)
	for i, value := range []string{"1", "", "0", "off", "disabled", "overlay", "iqn.x:t", "10.1.1.1", "/dev/ram0", "default", "dhcp", "LABEL=x", "tcp", "auto", "link", "/bin/sh"} {
		f.Add(uint16(97*i), value, true)
	}
	f.Fuzz(func(t *testing.T, i uint16, value string, has bool) {
		p := cmdline.Param{Key: words[int(i)%len(words)]}
		if has {
			p.Value, p.HasValue = value, true
		}
		checkWord(t, p, others)
	})
}

func checkWord(t *testing.T, p cmdline.Param, others map[string]bool) {
	t.Helper()
	plan, err := bootspec.Parse(cmdline.Line{Params: []cmdline.Param{p}})
	messages := strings.Join(plan.Warnings, "\n")
	if err != nil {
		messages += err.Error()
	}
	// Nothing before an @ is no secret.
	if bootspec.Secret(p) && len(p.Value) >= 12 && p.Value[0] != '@' && strings.Contains(messages, p.Value) {
		t.Errorf("%s: the secret is shown: %s", p.Key, messages)
	}
	switch became, effect := bootspec.Word(p); became {
	case bootspec.OtherProgram:
		if !others[p.Key] {
			t.Errorf("%s is ignored in silence", p)
		}
	case bootspec.Accepted:
		if !effect && !withoutEffect(p) {
			t.Errorf("%s is taken and makes no difference", p)
		}
		if !bootspec.ForInitramfs(p.Key) {
			t.Errorf("%s is accepted and is not a parameter", p)
		}
	default:
		if !strings.Contains(messages, p.Key) {
			t.Errorf("%s is not named in %q", p, messages)
		}
	}
}

// withoutEffect reports whether a parameter does nothing according to iscsiroot-parameters(7), is
// read by package modload, or has the value that is the default.
func withoutEffect(p cmdline.Param) bool {
	no := []string{"", "0", "no", "off"}
	isOff := slices.Contains(no[1:], p.Value)
	for _, row := range bootspec.Table() {
		if !slices.Contains(row.Names(), p.Key) {
			continue
		}
		switch row.Key {
		case "modprobe.blacklist", "module_blacklist", "rd.driver.pre", "rd.driver.post", "rd.driver.blacklist":
			return true
		case "rd.bootif":
			return !isOff
		case "rd.iscsi.ibft", "rd.shell", "iscsi_noibft", "nompath":
			return isOff
		case "rd.iscsi.transport":
			return slices.Contains([]string{"", "tcp", "iscsi_tcp"}, strings.ToLower(p.Value))
		case "rootfstype":
			return p.Value == "auto"
		case "ksdevice":
			return slices.Contains([]string{"", "bootif", "link", "ibft"}, p.Value)
		case "iscsi_i":
			return p.Key == "InitiatorName" && p.Value == "default"
		case "init":
			return p.Value == "/linuxrc"
		}
		return strings.Contains(row.Help, "accepted for compatibility")
	}
	return false
}
