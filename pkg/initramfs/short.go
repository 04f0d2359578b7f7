package initramfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// shortSecrets warns of CHAP secrets that RFC 7143 9.2.1 forbids. They are refused for new hosts:
// if an existing image has no short secret for the same target.
func (img *image) shortSecrets(output string) (warnings []string, err error) {
	text := img.cfg.Default + " " + img.cfg.Policy
	if img.cfg.UKI != nil {
		text += " " + img.cfg.UKI.CommandLine
	}
	var lines []bootspec.Credential
	if e, ok := img.tree[strings.TrimPrefix(bootspec.CredentialsPath, "/")]; ok && e.data != nil {
		if data, err := e.data(); err == nil {
			lines, _ = bootspec.ParseCredentials(data) // an error was reported, or the boot reports it
		}
	}
	var errs []error
	known := knownShort(output, img.cfg.limits())
	for _, s := range shortOf(cmdline.Parse(text), lines) {
		if slices.ContainsFunc(known, func(k bootspec.ShortSecret) bool { return strings.EqualFold(k.Target, s.Target) && k.Whose == s.Whose }) {
			warnings = append(warnings, target(s)+s.String())
			continue
		}
		errs = append(errs, fmt.Errorf("%s%s: write a longer one here and at the target", target(s), s))
	}
	return warnings, errors.Join(errs...)
}

// target is how a message about a secret begins.
func target(s bootspec.ShortSecret) string {
	if s.Target == "" {
		return ""
	}
	return "target " + bootspec.Redact(s.Target) + ": "
}

// shortOf returns the short secrets of parameters and of a file.
func shortOf(params cmdline.Line, lines []bootspec.Credential) []bootspec.ShortSecret {
	plan, _ := bootspec.Parse(params) // its errors are reported elsewhere
	plan.Credentials = lines
	defer plan.Forget()
	return bootspec.ShortSecrets(plan.Targets, lines)
}

// knownShort returns those of an existing image, none without a readable one.
func knownShort(output string, l archive.Limits) (known []bootspec.ShortSecret) {
	old, err := Open(output, l)
	if err != nil {
		return nil
	}
	err = old.Settle(func() {
		params, _ := bootspec.Gather(old, cmdline.Line{})
		lines, _ := Credentials(old)
		known = shortOf(params, lines)
	})
	if err != nil {
		return nil
	}
	return known
}
