package session

import (
	"reflect"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// HasConfig reports whether the session was made with this configuration.
func (s *Session) HasConfig(initiator string, target bootspec.Target, login bootspec.Login) bool {
	return s.config.Initiator == initiator && s.config.Login == login && reflect.DeepEqual(s.config.Target, target)
}
