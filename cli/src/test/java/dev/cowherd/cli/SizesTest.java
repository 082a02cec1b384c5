package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Proves that byte counts are printed and read as QEMU does. */
final class SizesTest {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1, 1 B",
        "999, 999 B",
        "1000, 0.977 KiB",
        "1023, 0.999 KiB",
        "1024, 1 KiB",
        "1536, 1.5 KiB",
        "200704, 196 KiB",
        "721408, 704 KiB",
        "2297856, 2.19 MiB",
        "1073741824, 1 GiB",
        "1048064, 1 MiB",
        "1023999, 1e+03 KiB",
        "9223372036854775807, 8 EiB"
    })
    void printsThreeDigitsAndABinaryUnit(long bytes, String expected) {
        assertThat(SizeText.of(bytes)).isEqualTo(expected);
    }

    @Test
    void roundsEveryCountAsThePrintfOfCDoes() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            // A double holds 53 bits: QEMU rounds through one.
            long bytes = random.nextLong(1L << (1 + random.nextInt(52)));
            assertThat(SizeText.of(bytes)).as("%d bytes, seed %d", bytes, seed).isEqualTo(expected(bytes));
        }
    }

    private static String expected(long bytes) {
        int unit = 0;
        while (bytes >= 1000L << (10 * unit)) {
            unit++;
        }
        BigDecimal value = BigDecimal.valueOf(bytes).divide(BigDecimal.valueOf(1L << (10 * unit)));
        BigDecimal rounded = value.round(new MathContext(3, RoundingMode.HALF_EVEN));
        String digits = rounded.compareTo(BigDecimal.valueOf(1000)) == 0
                ? "1e+03"
                : rounded.signum() == 0 ? "0" : rounded.stripTrailingZeros().toPlainString();
        return digits + " " + UNITS[unit];
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "512, 512",
        "1k, 1024",
        "1K, 1024",
        "1.5k, 1536",
        ".5k, 512",
        "0x10, 16",
        "1M, 1048576",
        "2G, 2147483648",
        "1T, 1099511627776",
        "1P, 1125899906842624",
        "7E, 8070450532247928832",
        "100b, 100"
    })
    void readsSizes(String text, long expected) throws CommandException {
        assertThat(SizeArgument.parse("image size", text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"abc", "1K1", "''", "1.5", "0x10k", "0x", "k", ".", "1..2k", "1 k"})
    void refusesWhatIsNoSize(String text) {
        assertThatThrownBy(() -> SizeArgument.parse("image size", text))
                .hasMessage("Invalid image size specified: '" + text + "'.");
    }

    @ParameterizedTest
    @CsvSource({"-1", "-1k", "8E", "10e", "9223372036854775808", "0x8000000000000000"})
    void refusesSizesOutOfRange(String text) {
        assertThatThrownBy(() -> SizeArgument.parse("image size", text))
                .hasMessage("Invalid image size specified. Must be between 0 and 9223372036854775807.");
    }
}
