package boot

import "context"

// bringUpNetwork stores the result of the step "network".
func (m *Machine) bringUpNetwork(ctx context.Context) error {
	net, err := m.netup.BringUp(ctx)
	if err == nil {
		m.net = net
	}
	return err
}

func (m *Machine) findRoot(ctx context.Context) error {
	root, err := m.storage.Find(ctx)
	if err == nil {
		m.root = root
	}
	return err
}

func (m *Machine) mountRoot(ctx context.Context) (err error) {
	if m.adopted {
		return nil // mounted by hand
	}
	m.root, err = m.storage.Mount(ctx, m.root)
	return err
}

func (m *Machine) checkRoot(ctx context.Context) (err error) {
	m.start, err = m.storage.Check(ctx, m.root)
	return err
}
