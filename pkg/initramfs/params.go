package initramfs

import (
	"fmt"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// addParams puts parameters and secrets into the image.
func (t tree) addParams(cfg Config) (warnings []string, err error) {
	for _, p := range []struct{ name, file, text, origin string }{
		{"policy", bootspec.PolicyFile, cfg.Policy, bootspec.FromPolicy},
		{"default", bootspec.DefaultFile, cfg.Default, bootspec.FromDefault},
	} {
		if p.text == "" {
			continue
		}
		line, err := bootspec.ParseFile(p.text+"\n", p.origin)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		plan, err := bootspec.Parse(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		for _, w := range plan.Warnings {
			warnings = append(warnings, p.name+": "+w)
		}
		if err := t.add(p.file, entry{mode: cpio.S_IFREG | 0o600, data: content([]byte(p.text + "\n"))}); err != nil {
			return nil, err
		}
	}
	if cfg.Credentials == "" {
		return warnings, nil
	}
	data, err := ReadSecret(cfg.Credentials, bootspec.MaxCredentials)
	if err != nil {
		return nil, err
	}
	if _, err := bootspec.ParseCredentials(data); err != nil {
		return nil, fmt.Errorf("credentials from %s: %w", cfg.Credentials, err)
	}
	return warnings, t.add(bootspec.CredentialsPath, entry{mode: cpio.S_IFREG | 0o600, data: content(data)})
}

// ReadSecret reads a file of at most limit bytes that others may not read.
func ReadSecret(name string, limit int64) ([]byte, error) {
	data, st, err := readRegular(name, limit)
	if err != nil {
		return nil, fmt.Errorf("read secrets from %s: %w", name, err)
	}
	if st.Mode().Perm()&0o004 != 0 {
		return nil, fmt.Errorf("read secrets from %s: all users of this machine can read it: chmod 600 %s", name, name)
	}
	return data, nil
}
