module counter (input clk, input rst, input [1:0] mode, output reg [7:0] q, output reg carry);
  always @(posedge clk)
    if (rst) {carry, q} <= 0;
    else case (mode)
      2'b00: {carry, q} <= q + 1;
      2'b01: {carry, q} <= q - 1;
      2'b10: q <= {q[6:0], q[7] ^ q[5]};
      default: q <= q * 3;
    endcase
endmodule
