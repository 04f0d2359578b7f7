// Tinyinit is PID 1 of the lab's own test: it says that it runs, repeats a line it is sent, and powers off.
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

func main() {
	fmt.Println("tinyinit: started as pid", os.Getpid())
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Printf("tinyinit: read %q %v\n", line, err)
	syscall.Sync()
	fmt.Println("tinyinit: end:", syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF))
}
