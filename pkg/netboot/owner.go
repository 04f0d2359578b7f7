package netboot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// DefaultTFTPUser is dnsmasq's user in distributions' packages.
const DefaultTFTPUser = "dnsmasq"

// Owner is the user of the TFTP server, to whom the files with secrets belong that it sends. The
// zero value is no user: they belong to the user of this process.
type Owner struct {
	uid, gid int
	known    bool
	always   bool // of files too that belong to another user than root
}

// TFTPOwner returns the owner that [Update] gives files with secrets in dir. name is a user; empty
// means DefaultTFTPUser, which changes no owner that they were given before. msg tells why they
// stay the caller's and what to do: only root can give them away, and there may be no such user. It
// is empty if they do not, and if no file is in the directory of secrets.
func TFTPOwner(dir, name string, files []File) (o Owner, msg string, err error) {
	if !slices.ContainsFunc(files, File.isImage) {
		return Owner{}, "", nil
	}
	o.always = name != ""
	if !o.always {
		name = DefaultTFTPUser
	}
	where := path.Join(dir, secretsDir)
	if os.Geteuid() != 0 {
		return Owner{}, fmt.Sprintf("%s belongs to the user that wrote it, because only root can give it to %s: a TFTP server with another user cannot read it", where, name), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return Owner{}, fmt.Sprintf("%s belongs to root, because there is no user %s: name the TFTP server's user in --tftp-user", where, name), nil
	}
	var err1, err2 error
	o.uid, err1 = strconv.Atoi(u.Uid)
	o.gid, err2 = strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return Owner{}, "", fmt.Errorf("give %s to %s: %w", where, name, err)
	}
	o.known = true
	return o, "", nil
}

// take gives a file to the owner by chown; st is how the file is.
func (o Owner) take(st fs.FileInfo, chown func(uid, gid int) error) error {
	own, ok := st.Sys().(*syscall.Stat_t)
	if !o.known || !ok || own.Uid != 0 && !o.always || int(own.Uid) == o.uid && int(own.Gid) == o.gid {
		return nil
	}
	return chown(o.uid, o.gid)
}

// giveSecrets sets the owner of files with secrets that a TFTP server sends, also of those that an
// update did not change, and that of their directory, which gets mode 0700.
func giveSecrets(d disk, files []File, o Owner) error {
	if slices.ContainsFunc(files, File.isImage) {
		if err := d.set(secretsDir, attr{mode: 0o700, owner: o}); err != nil {
			return fmt.Errorf("set owner and mode of %s: %w", secretsDir, err)
		}
	}
	for _, f := range files {
		if !f.isSent() {
			continue
		}
		if err := d.set(f.Path, attr{owner: o}); err != nil {
			return fmt.Errorf("set owner of %s: %w", f.Path, err)
		}
	}
	return nil
}

// isSent tells whether a file holds a secret and a TFTP server sends it.
func (f File) isSent() bool { return f.Secret && strings.HasPrefix(f.Path, tree+"/") }

// isImage tells whether a file is the image of a machine with its secret.
func (f File) isImage() bool { return f.Secret && path.Dir(f.Path) == secretsDir }
