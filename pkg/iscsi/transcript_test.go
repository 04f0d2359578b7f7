package iscsi_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// The transcripts are logins of this package at real targets, gotgt 0.2.2 and tgtd 1.0.85, recorded
// on the connection: they detect a change of the initiator's PDUs, and keep the answers of those
// targets.

func transcript(t testing.TB, name string) iscsitest.Transcript {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".pdu"))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := iscsitest.ParseTranscript(b)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// replay logs in against a recorded target and compares the requests with the recorded ones.
func replay(t *testing.T, name string) (iscsi.Result, error) {
	t.Helper()
	tr := transcript(t, name)
	cfg := config()
	cfg.SecurityStage = strings.HasSuffix(name, "-security")
	conn, wait := tr.Script().Start()
	res, err := iscsi.Login(t.Context(), iscsi.NewTCPPipe(conn), cfg)
	sent, werr := wait()
	if werr != nil {
		t.Fatal(werr)
	}
	var want []*iscsi.PDU
	for _, p := range tr {
		if !iscsitest.FromTarget(p.Opcode()) {
			want = append(want, p)
		}
	}
	if d := cmp.Diff(want, sent); d != "" {
		t.Errorf("requests, -recorded +sent:\n%s", d)
	}
	return res, err
}

func TestTranscripts(t *testing.T) {
	params := iscsi.Params{
		MaxConnections: 1, InitialR2T: true, ImmediateData: true,
		MaxRecvDataSegmentLength: 262144, MaxXmitDataSegmentLength: 65536,
		MaxBurstLength: 262144, FirstBurstLength: 65536, DefaultTime2Wait: 2,
		MaxOutstandingR2T: 1, DataPDUInOrder: true, DataSequenceInOrder: true,
	}
	gotgt := iscsi.Result{
		Params: params, ExpStatSN: 1, ExpCmdSN: 1, MaxCmdSN: 1, TPGT: 1, HasTPGT: true,
		Warnings: []string{"target gave no session handle (TSIH 0)"},
	}
	gotgt2 := gotgt
	gotgt2.ExpStatSN = 2
	params.MaxXmitDataSegmentLength = 8192
	tgtd := iscsi.Result{Params: params, ExpStatSN: 1, ExpCmdSN: 1, MaxCmdSN: 2, TSIH: 0x100, TPGT: 1, HasTPGT: true}
	tgtd2 := tgtd
	tgtd2.ExpStatSN, tgtd2.TSIH = 2, 0x200
	tests := map[string]iscsi.Result{"gotgt": gotgt, "gotgt-security": gotgt2, "tgtd": tgtd, "tgtd-security": tgtd2}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := replay(t, name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestTranscriptsRefused(t *testing.T) {
	tests := map[string]string{
		"tgtd-0203":          "refused (0203): this portal has no target of that name",
		"tgtd-chap":          "refused (0201): authentication failed: wrong user or secret, or the target requires authentication",
		"tgtd-chap-security": "refused (0201): authentication failed: wrong user or secret, or the target requires authentication",
		"tgtd-redirect":      "redirected (0101): target moved temporarily to 192.0.2.7:3261",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			// The requests are compared in the tests of accepted logins.
			o := iscsitest.Script(transcript(t, name).Script())
			cfg := config()
			cfg.SecurityStage = strings.HasSuffix(name, "-security")
			if name == "tgtd-0203" {
				cfg.TargetName += "x"
			}
			_, err := iscsi.Login(t.Context(), pipeTo(t, o), cfg)
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// pipeTo starts a script and ends it with the test.
func pipeTo(t *testing.T, s iscsitest.Script) iscsi.Pipe {
	conn, wait := s.Start()
	t.Cleanup(func() {
		if _, err := wait(); err != nil {
			t.Error(err)
		}
	})
	return iscsi.NewTCPPipe(conn)
}

// TestTranscriptBytes: the codec gives back every recorded byte.
func TestTranscriptBytes(t *testing.T) {
	for _, file := range recordings(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := iscsitest.ParseTranscript(b)
		if err != nil || len(tr) < 2 {
			t.Fatalf("%s: %d PDUs, %v", file, len(tr), err)
		}
		var all []byte
		for _, p := range tr {
			one, err := p.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one...)
		}
		if !bytes.Equal(all, b) {
			t.Errorf("%s: %d bytes, recorded %d", file, len(all), len(b))
		}
	}
	if _, err := iscsitest.ParseTranscript(make([]byte, 50)); err == nil {
		t.Error("half a PDU is not a transcript")
	}
}

// recordings returns the files with transcripts; there must be some, or the fuzzers would have no
// seeds.
func recordings(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.pdu")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d transcripts in testdata, %v", len(files), err)
	}
	return files
}
