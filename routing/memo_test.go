package routing

import (
	"fmt"
	"testing"
)

func TestMemoIsBounded(t *testing.T) {
	var m memo
	for i := range 10 * memoSize {
		m.put(fmt.Sprint(i), Route{Model: fmt.Sprint(i)})
		if len(m.routes) > memoSize {
			t.Fatalf("%d routes are remembered", len(m.routes))
		}
	}
	last := fmt.Sprint(10*memoSize - 1)
	if r, ok := m.get(last); !ok || r.Model != last {
		t.Errorf("get(%s) = %+v, %v", last, r, ok)
	}
}
