package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/discovery"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

const discoverLong = `discover asks portals which targets they have, by iSCSI's SendTargets, and shows the
targets with their portals. It needs no privilege, and logs in to no target.

A target's access list may decide by the initiator name which targets are shown: name the
machine's with --initiator. Without it, it is that of open-iscsi on this host, in
/etc/iscsi/initiatorname.iscsi.

Where discovery needs CHAP, FILE of --credentials has a line

  discovery USER SECRET [TARGET-USER TARGET-SECRET]

and its other lines are those of build --credentials: with --target, and without a line
for discovery, that target's line is used. Other users may not be able to read FILE; - is
standard input.

Exit status 1 if a portal could not be asked; the answers of the others are shown.`

// discoverInput is the command line.
type discoverInput struct {
	initiator, target string
	credentials       string
	timeout           time.Duration
	json              bool
}

// newDiscover returns the discover command.
func newDiscover() *cobra.Command {
	var in discoverInput
	cmd := &cobra.Command{
		Use:     "discover ADDRESS[:PORT]...",
		Short:   "show the targets that a portal has",
		Long:    discoverLong,
		Example: "  iscsiroot discover --initiator iqn.2007-01.com.example:server.remote1 10.1.1.180",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			portals, err := in.portals(args)
			if err != nil {
				return fmt.Errorf("discover: %w", err)
			}
			cfg, err := in.config(cmd.InOrStdin(), openISCSIName)
			if err != nil {
				return fmt.Errorf("discover: %w", err)
			}
			found, err := ask(cmd.Context(), portals, cfg)
			if werr := found.print(cmd.OutOrStdout(), in.json); werr != nil {
				return werr
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&in.initiator, "initiator", "", "the initiator name is `NAME`")
	fs.StringVar(&in.target, "target", "", "ask for the portals of target `NAME` alone")
	fs.StringVar(&in.credentials, "credentials", "", "CHAP secrets are in `FILE`, - for standard input")
	fs.DurationVar(&in.timeout, "timeout", 15*time.Second, "give a portal this `TIME` to answer")
	fs.BoolVar(&in.json, "json", false, "write JSON")
	return cmd
}

// portals reads the arguments.
func (in discoverInput) portals(args []string) ([]bootspec.Portal, error) {
	if in.timeout <= 0 {
		return nil, errors.New("--timeout: give a time above 0, such as 15s")
	}
	var out []bootspec.Portal
	for _, arg := range args {
		p, err := bootspec.ParsePortal(arg)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// openISCSIName is where open-iscsi keeps the initiator name of this host.
const openISCSIName = "/etc/iscsi/initiatorname.iscsi"

// config reads what the options name; initiatorFile is open-iscsi's.
func (in discoverInput) config(stdin io.Reader, initiatorFile string) (discovery.Config, error) {
	cfg := discovery.Config{Initiator: in.initiator, Target: in.target, Timeout: in.timeout}
	if cfg.Initiator == "" {
		text, _ := os.ReadFile(initiatorFile) // it is for root alone on most systems
		cfg.Initiator = bootspec.InitiatorName(string(text))
	}
	if cfg.Initiator == "" {
		return cfg, errors.New("no initiator name: write --initiator NAME, that of the machine that is to use the target")
	}
	if in.credentials == "" {
		return cfg, nil
	}
	text, err := in.secrets(stdin)
	if err != nil {
		return cfg, err
	}
	defer clear(text)
	if cfg.CHAP, err = bootspec.DiscoveryCHAP(text, in.target); err != nil {
		return cfg, fmt.Errorf("credentials from %s: %w", in.credentials, err)
	}
	return cfg, nil
}

// secrets reads the file of secrets.
func (in discoverInput) secrets(stdin io.Reader) ([]byte, error) {
	if in.credentials != "-" {
		return initramfs.ReadSecret(in.credentials, bootspec.MaxCredentials)
	}
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return nil, errors.New("credentials from -: standard input is a terminal, which would show the secret: name a file, or use a pipe")
	}
	text, err := io.ReadAll(io.LimitReader(stdin, bootspec.MaxCredentials+1))
	if err != nil {
		return nil, fmt.Errorf("credentials from -: %w", err)
	}
	return text, nil
}

// ask asks one portal after the other, and forgets the secrets. The error joins those of all.
func ask(ctx context.Context, portals []bootspec.Portal, cfg discovery.Config) (discovered, error) {
	if cfg.CHAP != nil {
		defer cfg.CHAP.Secret.Wipe()
		defer cfg.CHAP.TargetSecret.Wipe()
	}
	out := discovered{Initiator: cfg.Initiator, Portals: []portalJSON{}}
	var errs []error
	for _, p := range portals {
		answer, err := discovery.Discover(ctx, p, cfg)
		out.Portals = append(out.Portals, newPortal(answer, err))
		if hint := hintOf(err); hint != "" {
			err = fmt.Errorf("%w: %s", err, hint)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("discover: %w", err))
		}
	}
	return out, errors.Join(errs...)
}
