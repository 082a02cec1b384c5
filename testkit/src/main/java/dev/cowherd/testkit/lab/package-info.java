/**
 * The laboratory: what proves that an engine loses no byte, whatever order its threads run in and whenever the power goes.
 *
 * <ul>
 *   <li>{@link dev.cowherd.testkit.lab.SimStorage} is a disk in memory whose power can be cut after the run, at any point of it;
 *       {@link dev.cowherd.testkit.lab.CrashStates} are the contents it may have then.
 *   <li>{@link dev.cowherd.testkit.lab.ModelDisk} knows which values each guest sector may hold, in flight and after a cut.
 *   <li>{@link dev.cowherd.testkit.lab.StepScheduler} runs threads one step at a time; {@link dev.cowherd.testkit.lab.Schedules}
 *       runs all orders of the steps, or many drawn ones.
 * </ul>
 *
 * <p>Invariants: everything drawn comes from a seed, and a failure says what replays it; the model is told what was asked of a
 * disk and what came back, never how the engine did it.
 *
 * <p>It must not know images, maps or caches: a toy disk of a test is examined by it just as the engine is.
 */
@NullMarked
package dev.cowherd.testkit.lab;

import org.jspecify.annotations.NullMarked;
