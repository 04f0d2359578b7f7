// Package disks keeps the settings of the sessions' disks in the running
// system, for the agent (package recovery/agent):
//
//   - A disk that is no leg of a mirror or multipath map repeats its commands
//     without a limit. SCSI gives each command five retries, and each break of the
//     connection takes one (drivers/scsi/scsi_error.c: scsi_decide_disposition,
//     DID_TRANSPORT_DISRUPTED), whatever recovery_tmo is: six breaks within one
//     command's life would be an I/O error.
//   - Such a disk fails no command any more, so one that answers nothing but errors
//     is reported.
//   - multipathd shortens recovery_tmo of disks that it may never get. That is put
//     back.
package disks
