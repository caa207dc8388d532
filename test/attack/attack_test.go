//go:build attack

package attack

import "testing"

// TestAttack drives everything against one gateway, in one order: the outages
// come last, for they take parts away.
func TestAttack(t *testing.T) {
	w := newWorld(t)
	t.Run("tokens", w.tokens)
	t.Run("bodies", w.bodies)
	w.close(t, allIDs(t))
}
