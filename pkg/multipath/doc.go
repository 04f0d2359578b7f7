// Package multipath says which disks are paths to the same LUN, as values: how a LUN is identified
// (WWID), which disks may be joined, and the table of the map that device-mapper makes of them. It
// makes no system call.
package multipath
