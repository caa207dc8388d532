package redis_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/quota"
)

// A cluster's node refuses scripts whose keys lie in different slots, and
// clients must find each subject's node: both with pipelines over many
// subjects.
func TestCluster(t *testing.T) {
	port := freePort(t)
	s := redistest.Start(t, "--port", strconv.Itoa(port), "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
	node := connect(t, s.URL)
	if err := node.raw.Do(t.Context(), "cluster", "addslotsrange", "0", "16383").Err(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(node.raw.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the cluster does not come up")
		}
	}
	r := connect(t, fmt.Sprintf("redis+cluster://127.0.0.1:%d", port))
	var settlements []quota.Settlement
	var leases []quota.Lease
	for i := range 50 {
		req := charge("a")
		req.Subject = fmt.Sprintf("%032x", i)
		if d, err := r.Reserve(t.Context(), req); err != nil || d.Status != quota.OK {
			t.Fatalf("Reserve = %+v, %v", d, err)
		}
		leases = append(leases, quota.Lease{ID: "a", Subject: req.Subject, Lease: time.Minute})
		settlements = append(settlements, quota.Settlement{ID: "a", Subject: req.Subject, Mode: quota.Charge, Line: "line"})
	}
	if err := node.raw.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	live, err := r.Renew(t.Context(), leases)
	if err != nil || len(live) != 50 || !live[0] || !live[49] {
		t.Errorf("Renew = %v, %v", live, err)
	}
	results, err := r.Settle(t.Context(), settlements)
	if err != nil || len(results) != 50 || results[49] != quota.Done {
		t.Errorf("Settle = %v, %v", results, err)
	}
	rec, err := r.Read(t.Context(), settlements[7].Subject)
	if err != nil || rec.Windows["day/requests"].Used != 1 || len(rec.Ledger) != 1 {
		t.Errorf("Read = %+v, %v", rec, err)
	}
}

// freePort finds a port whose cluster port, 10,000 above, exists too.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := l.Addr().(*net.TCPAddr)
		_ = l.Close()
		if addr.Port < 55_000 {
			return addr.Port
		}
	}
}
