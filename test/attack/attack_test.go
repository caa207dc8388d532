//go:build attack

package attack

import "testing"

// TestAttack drives everything against one gateway, in one order: the outages
// come last, for they take parts away.
func TestAttack(t *testing.T) {
	w := newWorld(t)
	t.Run("tokens", w.tokens)
	t.Run("bodies", w.bodies)
	t.Run("paths", w.paths)
	t.Run("framings", w.framings)
	t.Run("headers", w.headers)
	t.Run("answers", w.answers)
	t.Run("inputs", w.badInputs)
	t.Run("spent", w.spent)
	t.Run("memory", w.bodiesAtOnce)
	t.Run("outages", w.outages)
	t.Run("leaks", w.leaks)
	w.close(t, allIDs(t))
}
