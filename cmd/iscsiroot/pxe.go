package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

const pxeLong = `pxe reads a description of machines, a YAML file, and writes into DIR what a server
needs to boot them:

  tftp/pxelinux.cfg/  PXELINUX, a file for each machine by its MAC address, and default
  tftp/ipxe/          iPXE: boot.ipxe finds the machine's script; MAC-sanhook.ipxe logs in first
  tftp/grub/          GRUB: grub.cfg finds the machine's file, grub.cfg-01-MAC
  tftp/secrets/       an initramfs with its CHAP secret for each machine that has one
  dnsmasq.conf        a piece of dnsmasq's configuration
  tgt.conf lio.json   the targets, each disk for its machine alone

Fields of a host: name, mac, address (with mask), gateway, interface, initiator, target,
portals, lun, chap (a file of lines TARGET USER SECRET [TARGET-USER TARGET-SECRET]), root,
kernel and initrd (paths below tftp/), append (more parameters), disk (what the target
serves), shared. Fields of defaults are for all hosts; {name}, {mac} and {ip} in a value
are the host's. Beside hosts and defaults: server, http, loader.

Everything is checked before anything is written. A second run changes only what is
different, and removes files of machines that are no longer in it. It refuses to change or
remove a file that was changed by hand, or that pxe has not written; with --overwrite it
does. Runs on one DIR take turns. After an error, a signal or a kill the old files are there as a whole, or the
new ones; what a killed run has left is put in order by the next.`

const pxeExample = `  # hosts.yaml
  server: 10.1.1.1
  defaults:
    initiator: iqn.2007-01.com.example:server.{name}
    target: iqn.2007-01.com.example:storage.{name}
    portals: 10.1.1.180
    kernel: remote/vmlinuz
    initrd: remote/initrd.img
  hosts:
    - name: remote1
      mac: aa:bb:cc:dd:ee:ff
      address: 10.1.1.165/26

  iscsiroot pxe hosts.yaml /srv/netboot --dry-run`

// newPXE returns the pxe command.
func newPXE() *cobra.Command {
	var dry bool
	var o writeOptions
	cmd := &cobra.Command{
		Use:     "pxe HOSTS DIR",
		Short:   "write the files of a server that boots machines",
		Long:    pxeLong,
		Example: pxeExample,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			room, err := netboot.Read(args[0])
			if err != nil {
				return err
			}
			files, err := room.Files(args[1])
			if err != nil {
				return err
			}
			odd, err := room.ShortSecrets(args[1])
			if err != nil {
				return err
			}
			var changes []netboot.Change
			if dry {
				changes, err = netboot.Compare(args[1], files)
			} else {
				var msg string
				if changes, msg, err = update(cmd, args[1], files, o); msg != "" {
					odd = append(odd, msg)
				}
			}
			if err != nil {
				return err
			}
			for _, line := range slices.Concat(odd, room.LeftOut(), room.Lacks(args[1])) {
				fmt.Fprintf(cmd.ErrOrStderr(), "iscsiroot: %s\n", line)
			}
			_, err = cmd.OutOrStdout().Write([]byte(report(args[1], len(files), changes, dry)))
			return err
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing; show what would change, without secrets")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "write and remove files also that were changed by hand since pxe has written them")
	cmd.Flags().StringVar(&o.tftpUser, "tftp-user", "", "the TFTP server runs as user `NAME`: files with secrets below tftp/ become this user's (default "+netboot.DefaultTFTPUser+", for those that are root's)")
	return cmd
}

// writeOptions are the options of pxe for what it writes.
type writeOptions struct {
	tftpUser  string
	overwrite bool
}

// update writes the files. msg is about the user of the TFTP server.
func update(cmd *cobra.Command, dir string, files []netboot.File, o writeOptions) (changes []netboot.Change, msg string, err error) {
	owner, msg, err := netboot.TFTPOwner(dir, o.tftpUser, files)
	if err != nil {
		return nil, "", err
	}
	changes, err = netboot.Update(cmd.Context(), dir, files, netboot.Options{Owner: owner, Overwrite: o.overwrite, Waiting: func() {
		fmt.Fprintf(cmd.ErrOrStderr(), "iscsiroot: waiting for another pxe on %s\n", dir)
	}})
	var foreign *netboot.ForeignError
	if errors.As(err, &foreign) {
		err = fmt.Errorf("%w: put the change into the hosts file, or move the file away, or give --overwrite", err)
	}
	return changes, msg, err
}

// report prints what was changed, or would be.
func report(dir string, files int, changes []netboot.Change, dry bool) string {
	var b strings.Builder
	secrets := false
	for _, c := range changes {
		secrets = secrets || c.File.Secret
		if dry {
			b.WriteString(c.Diff())
		} else {
			fmt.Fprintf(&b, "%s %s\n", c.Kind, c.File.Path)
		}
	}
	word := "changed"
	if dry {
		word = "would change"
	}
	fmt.Fprintf(&b, "%s: %d files, %d %s\n", dir, files, len(changes), word)
	if secrets && !dry {
		fmt.Fprintf(&b, "files with secrets have mode 0600, and %s 0700: a TFTP or HTTP server that can read them sends them to any client\n",
			filepath.Join(dir, "tftp", "secrets"))
	}
	return b.String()
}
