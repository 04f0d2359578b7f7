package session

import (
	"reflect"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Is tells whether the session is one of such a configuration.
func (s *Session) Is(initiator string, target bootspec.Target, login bootspec.Login) bool {
	return s.config.Initiator == initiator && s.config.Login == login && reflect.DeepEqual(s.config.Target, target)
}
