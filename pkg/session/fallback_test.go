package session

import (
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func TestMoreSpecific(t *testing.T) {
	refused := &iscsi.StatusError{Class: 2, Detail: 1}
	moved := &iscsi.StatusError{Class: 1, Detail: 1, Addresses: []iscsi.TargetAddress{{Host: "192.0.2.1", Port: 3260}}}
	stage := &iscsi.StageError{Err: &iscsi.StatusError{Class: 2}}
	list := &iscsi.AlgorithmsError{Err: &iscsi.StatusError{Class: 2}}
	auth := &iscsi.AuthError{Reason: iscsi.AuthTargetResponse}
	lost := errors.New("connection lost")
	for name, test := range map[string]struct{ first, second, want error }{
		"no stage, and the ACL":       {stage, refused, refused},
		"no stage, and it moves":      {stage, moved, moved},
		"no stage, none waits":        {stage, lost, stage},
		"MD5, and the secret is bad":  {list, refused, refused},
		"MD5, and the target's is":    {list, auth, auth},
		"MD5, and the target moves":   {list, moved, moved},
		"MD5, and nobody answers now": {list, lost, list},
	} {
		if got := moreSpecific(test.first, test.second); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
