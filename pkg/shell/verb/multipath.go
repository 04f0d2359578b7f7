package verb

import (
	"context"
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// multipathVerb shows the maps that list returns.
func multipathVerb(list func() ([]maps.Map, error)) Verb {
	return Verb{
		Name: "multipath", Help: "the multipath maps and their paths", Group: System,
		More: "each path is shown with its session and portal, its group, its access state as the target reports it, and how often it has failed\nI/O goes to the paths of the group in use",
		Run: func(_ context.Context, c *Call) error {
			all, err := list()
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return errors.New("there is no multipath map")
			}
			return c.Printf("%s", status.Maps("/sys", all))
		},
	}
}
