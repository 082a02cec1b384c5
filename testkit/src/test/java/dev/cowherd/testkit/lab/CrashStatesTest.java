package dev.cowherd.testkit.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The simulated disk keeps what a disk keeps, and its power cuts show all that a cut may leave and nothing else. */
class CrashStatesTest {
    private static final int SECTOR = 512;

    private final SimStorage sim = new SimStorage("sim");

    private static MemorySegment filled(int bytes, int value) {
        return Arena.ofAuto().allocate(bytes).fill((byte) value);
    }

    /** One digit for each sector: the value of its bytes, which must all be the same. */
    private static String digits(SimStorage disk) {
        StringBuilder text = new StringBuilder();
        byte[] bytes = disk.bytes();
        for (int at = 0; at < bytes.length; at += SECTOR) {
            byte[] sector = Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + SECTOR));
            assertThat(sector).as("a torn sector").containsOnly(sector[0]);
            text.append(sector[0]);
        }
        return text.toString();
    }

    private static Set<String> states(SimStorage disk) {
        Set<String> found = new TreeSet<>();
        CrashStates.of(disk.power()).forEach(state -> found.add(digits(state.disk())));
        return found;
    }

    private void write(int sector, int sectors, int value) throws IOException {
        sim.write((long) sector * SECTOR, filled(sectors * SECTOR, value));
    }

    @Test
    void whatWasWrittenIsThereAsOnAnyStorage() throws IOException {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        try (MemoryStorage memory = new MemoryStorage("memory")) {
            for (int step = 0; step < 2000; step++) {
                long offset = random.nextInt(200_000) & (random.nextBoolean() ? -1 : -512);
                int length = 1 + random.nextInt(20_000) & (random.nextBoolean() ? -1 : -512);
                if (length == 0) {
                    continue;
                }
                MemorySegment bytes = filled(length, step);
                int kind = random.nextInt(9);
                for (Storage storage : new Storage[] {memory, sim}) {
                    switch (kind) {
                        case 0 -> storage.punchHole(offset, length);
                        case 1 -> storage.zero(offset, length);
                        case 2 -> storage.allocate(offset, length);
                        case 3 -> storage.truncate(offset);
                        case 4 -> storage.sync();
                        case 5 -> storage.writev(offset, new MemorySegment[] {bytes, bytes.asSlice(0, 1)}, 2);
                        default -> storage.write(offset, bytes);
                    }
                }
                String what = "seed " + seed + " (-Dcowherd.seed), step " + step;
                assertThat(sim.sizeBytes()).as(what).isEqualTo(memory.sizeBytes());
                MemorySegment expected = filled(30_000, 9);
                MemorySegment found = filled(30_000, 9);
                assertThat(sim.read(offset, found)).as(what).isEqualTo(memory.read(offset, expected));
                assertThat(found.mismatch(expected)).as(what).isEqualTo(-1);
            }
        }
        CrashStates.of(sim.power()).from(sim.power().now()).withSeed(seed).forEach(state -> {
            if (!state.description().contains("LOST") && !state.description().contains("TORN")) {
                assertThat(Arrays.equals(state.disk().bytes(), sim.bytes())).isTrue();
            }
        });
    }

    @Test
    void everySubsetSinceTheLastBarrierMayHaveLanded() throws IOException {
        sim.truncate(3 * SECTOR);
        sim.sync();
        write(0, 1, 1);
        write(1, 1, 2);
        write(2, 1, 3);
        assertThat(states(sim))
                .contains("100", "020", "003", "120", "103", "023", "123", "000", "")
                .hasSize(9);
        sim.sync();
        write(1, 1, 4);
        sim.sync();
        Set<String> after = new HashSet<>();
        CrashStates.of(sim.power()).from(sim.power().now() - 2).forEach(state -> after.add(digits(state.disk())));
        assertThat(after).containsExactlyInAnyOrder("123", "143");
    }

    @Test
    void thereAreSoManyStatesAsSubsetsAtEveryCut() throws IOException {
        for (int i = 0; i < 4; i++) {
            write(i, 1, i + 1);
        }
        assertThat(CrashStates.of(sim.power()).forEach(state -> {})).isEqualTo(1 + 2 + 4 + 8 + 16);
        for (int i = 4; i < 12; i++) {
            write(i, 1, 1);
        }
        assertThat(CrashStates.of(sim.power()).forEach(state -> {})).isEqualTo(2047 + 256 + 256);
        assertThat(CrashStates.of(sim.power()).atMost(130).forEach(state -> {})).isEqualTo(130);
    }

    /** Two states of each of many cuts would be "none" and "all", and find no order of two writes wrong. */
    @Test
    void fewStatesOfALongRunAreSubsetsAllTheSame() throws IOException {
        for (int i = 0; i < 300; i++) {
            write(i % 40, 1, 1 + i % 9);
            if (i % 15 == 14) {
                sim.sync();
            }
        }
        Set<String> found = new HashSet<>();
        Set<Long> cuts = new HashSet<>();
        int[] mixed = {0};
        long shown = CrashStates.of(sim.power()).atMost(200).forEach(state -> {
            found.add(state.description());
            cuts.add(state.cut());
            mixed[0] +=
                    state.description().contains("LOST") && state.description().contains("LANDED") ? 1 : 0;
        });
        assertThat(shown).isEqualTo(200);
        assertThat(found).as("states, no two the same").hasSize(200);
        assertThat(mixed[0]).as("states with some of the changes").isGreaterThan(120);
        assertThat(cuts).hasSizeGreaterThan(100);
        assertThat(CrashStates.of(sim.power())
                        .from(316)
                        .atMost(40)
                        .forEach(state -> assertThat(state.cut()).isGreaterThanOrEqualTo(316)))
                .isEqualTo(40);
    }

    @Test
    void aWriteIsTornBetweenSectorsOnly() throws IOException {
        sim.truncate(3 * SECTOR);
        sim.sync();
        write(0, 3, 7);
        Set<String> found = new TreeSet<>();
        for (int seed = 0; seed < 20; seed++) {
            CrashStates.of(sim.power()).from(2).withSeed(seed).forEach(state -> found.add(digits(state.disk())));
        }
        assertThat(found).containsExactly("000", "007", "070", "077", "700", "707", "770", "777");
    }

    @Test
    void aSectorThatLandsHoldsAllThatWasWrittenToItBefore() throws IOException {
        write(0, 1, 0);
        sim.sync();
        sim.write(0, filled(256, 5));
        sim.write(256, filled(256, 5));
        Set<String> found = new TreeSet<>();
        CrashStates.of(sim.power()).from(2).forEach(state -> {
            byte[] bytes = state.disk().bytes();
            found.add(bytes[0] + "" + bytes[511]);
        });
        assertThat(found).as("never the later part alone").containsExactly("00", "50", "55");
    }

    @Test
    void holesZerosAndSizesMayBeLostLikeWrites() throws IOException {
        write(0, 2, 6);
        sim.sync();
        sim.punchHole(0, SECTOR);
        sim.zero(SECTOR, 2 * SECTOR);
        Set<String> found = new TreeSet<>();
        CrashStates.of(sim.power()).from(2).forEach(state -> found.add(digits(state.disk())));
        assertThat(found).containsExactly("000", "06", "600", "66");
        sim.sync();
        sim.truncate(SECTOR);
        found.clear();
        CrashStates.of(sim.power()).from(5).forEach(state -> found.add(digits(state.disk())));
        assertThat(found).containsExactly("0", "000");
    }

    @Test
    void afterAFailedSyncNoLaterSyncSavesWhatWasPending() throws IOException {
        write(0, 2, 0);
        sim.sync();
        write(0, 1, 1);
        sim.fail(new SimFault(Set.of(Operation.SYNC), 1, true, Errno.EIO));
        assertThatThrownBy(sim::sync)
                .isInstanceOfSatisfying(
                        StorageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EIO.number()));
        assertThat(sim.faultsHit()).isOne();
        write(1, 1, 2);
        sim.sync();
        Set<String> found = new TreeSet<>();
        CrashStates.of(sim.power()).from(sim.power().now()).forEach(state -> found.add(digits(state.disk())));
        assertThat(found).containsExactly("02", "12");
        write(0, 1, 3);
        sim.sync();
        found.clear();
        CrashStates.of(sim.power()).from(sim.power().now()).forEach(state -> found.add(digits(state.disk())));
        assertThat(found).as("overwritten for good").containsExactly("32");
    }

    @Test
    void twoDisksAreCutAtTheSameInstantAndABarrierIsOneDisksOwn() throws IOException {
        Power power = new Power();
        SimStorage image = new SimStorage("image", power);
        SimStorage data = new SimStorage("data", power);
        data.write(0, filled(SECTOR, 1));
        image.write(0, filled(SECTOR, 2));
        image.sync();
        Set<String> found = new TreeSet<>();
        CrashStates.of(power).forEach(state -> {
            assertThat(state.disks()).hasSize(2);
            found.add(digits(state.disks().get(0)) + "/" + digits(state.disks().get(1)));
        });
        assertThat(found).containsExactly("/", "/1", "2/", "2/1");
        Set<String> last = new TreeSet<>();
        CrashStates.of(power)
                .from(3)
                .forEach(state -> last.add(digits(state.disks().get(0)) + "/"
                        + digits(state.disks().get(1))));
        assertThat(last).containsExactly("2/", "2/1");
    }

    @Test
    void theKthOperationFailsAndAFailedWriteMayHaveWrittenAPart() throws IOException {
        write(0, 8, 1);
        sim.fail(new SimFault(SimFault.CHANGES, 3, false, Errno.ENOSPC));
        Storage other = sim.reopen();
        write(0, 8, 2);
        other.sync();
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> other.write(0, filled(8 * SECTOR, 3)))
                    .isInstanceOfSatisfying(
                            StorageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC.number()));
        }
        assertThatThrownBy(() -> sim.zero(0, 1)).hasMessageContaining("ENOSPC");
        assertThat(sim.faultsHit()).isEqualTo(3);
        assertThat(sim.bytes()).contains(3).contains(2).doesNotContain(1);
        sim.fail(null);
        write(0, 8, 4);
        assertThat(digits(sim)).isEqualTo("44444444");
    }

    @Test
    void aFailureNamesTheStateThatIsThenShownAlone() throws IOException {
        for (int i = 0; i < 14; i++) {
            write(2 * i, 2, 1);
        }
        CrashStates all = CrashStates.of(sim.power()).withSeed(5);
        CrashStates.Judge judge = state -> assertThat(state.disk().sizeBytes()).isNotEqualTo(20 * SECTOR);
        for (CrashStates states : List.of(all, all.atMost(300))) {
            assertThatThrownBy(() -> states.forEach(judge)).satisfies(failure -> {
                String message = String.valueOf(failure.getMessage());
                int at = message.indexOf(".only(") + 6;
                long number = Long.parseLong(message.substring(at, message.indexOf(')', at)));
                assertThatThrownBy(() -> states.only(number).forEach(judge)).hasMessage(message);
            });
        }
    }

    /** Also that a state may be written to, which no other state sees. */
    @Test
    void twentyThousandStatesOfFourMebibytesCostSeconds() throws IOException {
        SplittableRandom random = new SplittableRandom(8);
        sim.write(0, filled(4 << 20, 0));
        for (int i = 0; i < 400; i++) {
            write(random.nextInt(8000), 1 + random.nextInt(16), i);
            if (i % 6 == 0) {
                sim.sync();
            }
        }
        long start = System.nanoTime();
        long states = CrashStates.of(sim.power()).from(2).atMost(20_000).forEach(state -> {
            MemorySegment first = filled(8, 0);
            state.disk().read(0, first);
            assertThat(first.get(ValueLayout.JAVA_LONG, 0)).isNotEqualTo(-1);
            state.disk().write(0, filled(8, -1));
        });
        assertThat(states).isBetween(8_000L, 20_000L);
        assertThat(System.nanoTime() - start).isLessThan(20_000_000_000L);
    }
}
