package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// parse makes the plan, and tells what is missing as well as what is wrong.
func parse(line cmdline.Line) (bootspec.Plan, error) {
	sys := os.DirFS("/sys")
	table, odd := firmware(sys, nil)
	plan, err := bootspec.ParseWith(line, table)
	if plan.WantsIBFT() {
		if table, odd = lowFirmware(sys, line); table != nil {
			plan, err = bootspec.ParseWith(line, table)
		}
	}
	plan.UUID, plan.MACNames = machineUUID("/sys/class/dmi/id"), true
	if err == nil {
		err = plan.Check()
	}
	plan.Warnings = append(plan.Warnings, odd...)
	var unread error
	plan.Credentials, unread = readCredentials(bootspec.CredentialsPath, 0)
	return plan, errors.Join(err, unread)
}

// machineUUID reads the UUID of the machine's SMBIOS as iPXE writes it, "" if it has none. dir is
// where the kernel shows the SMBIOS.
func machineUUID(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "product_uuid")) // empty without it
	return strings.ToLower(strings.TrimSpace(string(text)))
}

// firmware returns the iBFT that sysfs or memory shows, nil if there is none. One that cannot be
// read is none. The warnings tell of that, and of each part of the table that is left out.
func firmware(sys fs.FS, memory io.ReaderAt) (*ibft.Table, []string) {
	table, from, err := ibft.Find(sys, memory)
	if errors.Is(err, ibft.ErrNone) {
		return nil, nil
	}
	odd, err := ibft.Usable(err)
	if err != nil {
		return nil, []string{fmt.Sprintf("%s: %v", cmp.Or(from, "the firmware's table"), err)}
	}
	for i := range odd {
		odd[i] = from + ": " + odd[i]
	}
	return &table, odd
}

// driverPatience is for how long the driver of the iBFT may take.
const driverPatience = 10 * time.Second

// lowFirmware looks for a table that stands in low memory alone, as iPXE's and those of most BIOSes
// do. Which pages there are memory of the kernel's, and read as zeros, is chance
// (arch/x86/mm/init.c: devmem_is_allowed), so the kernel's driver comes first, which found the
// table at the start.
func lowFirmware(sys fs.FS, line cmdline.Line) (*ibft.Table, []string) {
	if runtime.GOARCH != "amd64" {
		return firmware(sys, nil) // there is no such memory
	}
	if release, err := modload.Release(); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), driverPatience)
		defer cancel()
		if loader, _, err := modload.Open("/", release, bootspec.ParseModules(line), nil); err == nil {
			_ = loader.Load(ctx, "iscsi_ibft") // without it there is the memory itself
		}
	}
	memory, err := os.Open("/dev/mem")
	if err != nil {
		return firmware(sys, nil)
	}
	defer func() { _ = memory.Close() }()
	return firmware(sys, memory)
}
