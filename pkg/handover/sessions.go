package handover

import "github.com/iscsiroot/iscsiroot/pkg/runstate"

// sessions lists root's session, for people and for scripts, and names the interface for Debian's
// open-iscsi, whose scripts leave it up at shutdown.
func sessions(f Facts) []File {
	files := []File{{Path: stateFile(runstate.SessionsName), Mode: 0o644, Content: runstate.FormatSessions(f.Sessions)}}
	if len(f.Links) > 0 {
		files = append(files, File{Path: "initramfs/open-iscsi.interface", Mode: 0o644, Content: f.Links[0].Name + "\n"})
	}
	return files
}

// stateFile is the path, below /run, of a file of package runstate's.
func stateFile(name string) string { return runstate.Below + "/" + name }
