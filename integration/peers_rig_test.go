package integration

import (
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// Made-up credentials. The secrets are words that nothing else prints.
var (
	oneWay = lab.CHAP{User: "remote1", Secret: "quiet-otter-lantern"}
	mutual = lab.CHAP{User: "remote1", Secret: "quiet-otter-lantern", MutualUser: "storage1", MutualSecret: "amber-violin-glacier"}
)

// credentials are a login's, for the given algorithms.
func credentials(c lab.CHAP, algorithms ...iscsi.Algorithm) *iscsi.CHAP {
	return &iscsi.CHAP{
		User: c.User, Secret: iscsi.NewSecret([]byte(c.Secret)),
		TargetUser: c.MutualUser, TargetSecret: iscsi.NewSecret([]byte(c.MutualSecret)), Algorithms: algorithms,
	}
}
